"""Campaigns: who gets what and who is held back before anything leaves, and what came of it; surveys go by them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, request, url_for
from google.protobuf.json_format import MessageToDict, ParseDict
from kefu.crm.v1 import campaign_service_pb2 as pb
from kefu.crm.v1 import customer_pb2
from kefu.crm.v1 import survey_service_pb2 as survey_pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.care import Care
from services.gateway.console.pages.customers import id_of
from services.gateway.console.present import segments
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError, NotFound

# Ways out that the bundled sites use.
CHANNELS: Final = ("EMAIL", "SMS")
KINDS: Final = tuple(name.removeprefix("KIND_") for name, value in pb.Campaign.Kind.items() if 0 < value < 8)
PURPOSES: Final = tuple(name.removeprefix("PURPOSE_") for name, value in customer_pb2.Purpose.items() if value)
# Why somebody gets nothing, as crm names it.
BARRED: Final = ("ERASED", "DO_NOT_CONTACT", "NO_CONSENT", "NO_ADDRESS", "FREQUENCY_CAP")
ACTIONS: Final = ("approve", "schedule", "cancel")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/campaigns")
    def campaigns(site: str) -> str:
        return _list(site)

    @blueprint.post("/s/<site>/campaigns")
    def draft_campaign(site: str) -> AnyResponse:
        return _drafted(site, lambda: _care(site).draft(_campaign()))

    @blueprint.post("/s/<site>/surveys")
    def draft_survey(site: str) -> AnyResponse:
        return _drafted(site, lambda: _care(site).draft_survey(_survey()))

    @blueprint.get("/s/<site>/campaigns/<campaign>")
    def campaign(site: str, campaign: str) -> str:
        return _one(site, campaign)

    @blueprint.post("/s/<site>/campaigns/<campaign>/<action>")
    def act_on_campaign(site: str, campaign: str, action: str) -> AnyResponse:
        care, form = _care(site), request.form
        try:
            if action == "approve":
                care.approve(campaign)
            elif action == "schedule":
                care.schedule(campaign, _start(form.get("start", ""), shell.site(site).timezone))
            elif action == "cancel":
                care.cancel(campaign, form.get("reason", ""))
            else:
                raise NotFound(metadata={"name": action[:40]})
        except KefuError as error:
            return Response(_one(site, campaign, fault=shell.fault(error)), 422)
        return redirect(url_for("console.campaign", site=site, campaign=campaign), 303)

    def _care(site: str) -> Care:
        return Care(shell.gate, shell.site(site).id)

    def _drafted(site: str, draft: Callable[[], str]) -> AnyResponse:
        try:
            made = draft()
        except KefuError as error:
            return Response(_list(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.campaign", site=site, campaign=made), 303)

    def _list(site: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "campaigns")
        found = Care(shell.gate, site).campaigns(request.args.get("page", ""))
        return shell.render(
            "pages/campaigns.html",
            frame=frame,
            campaigns=found.campaigns,
            next_token=found.next_page_token,
            may_write=shell.gate.may("campaigns.write", site),
            kinds=KINDS,
            purposes=PURPOSES,
            channels=CHANNELS,
            fields=segments.FIELDS,
            rows=range(segments.ROWS),
            given=request.form,
            kind_of=kind_of,
            state_of=state_of,
            id_of=id_of,
            utc=UTC,
            fault=fault,
        )

    def _one(site: str, campaign: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "campaigns")
        care = Care(shell.gate, site)
        found = care.campaign(campaign)
        survey = found.kind == pb.Campaign.KIND_SURVEY
        begun = state_of(found) in ("RUNNING", "ENDED", "EVALUATED")
        return shell.render(
            "pages/campaign.html",
            frame=frame,
            campaign=found,
            id=campaign,
            segment=segments.in_words(MessageToDict(found.segment), shell.words()),
            kind=kind_of(found),
            state=state_of(found),
            purpose=customer_pb2.Purpose.Name(found.purpose).removeprefix("PURPOSE_"),
            preview=None if begun else care.preview(campaign),
            result=care.result(campaign) if begun else None,
            survey=care.survey(campaign) if survey else None,
            report=care.survey_report(campaign) if survey else None,
            answers=care.answers(campaign).answers if survey else (),
            may_write=shell.gate.may("campaigns.write", site),
            may_approve=shell.gate.may("campaigns.approve", site),
            barred=BARRED,
            fields=segments.FIELDS,
            id_of=id_of,
            utc=UTC,
            fault=fault,
        )


def kind_of(campaign: pb.Campaign) -> str:
    """A campaign's kind without its prefix."""
    return pb.Campaign.Kind.Name(campaign.kind).removeprefix("KIND_")


def state_of(campaign: pb.Campaign) -> str:
    """A campaign's state without its prefix."""
    return pb.Campaign.State.Name(campaign.state).removeprefix("STATE_")


def _segment() -> dict[str, object]:
    form = request.form
    return segments.read(form.get("joined", ""), form.getlist("field"), form.getlist("test"), form.getlist("value"))


def _campaign() -> pb.Campaign:
    form = request.form
    coupon = _number("coupon_yuan")
    campaign = pb.Campaign(
        kind=pb.Campaign.Kind.Value(f"KIND_{_one_of('kind', KINDS)}"),
        purpose=customer_pb2.Purpose.Value(f"PURPOSE_{_one_of('purpose', PURPOSES)}"),
        title=form.get("title", ""),
        subject=form.get("subject", ""),
        body=form.get("body", ""),
        channels=form.getlist("channel"),
        holdout_share=_number("holdout_percent") / 100,
        window_days=int(_number("window_days")),
        recurring=bool(form.get("recurring")),
        coupon_fen=round(coupon * 100),
        coupon_days=int(_number("coupon_days")) if coupon else 0,
    )
    ParseDict(_segment(), campaign.segment)
    return campaign


def _survey() -> survey_pb.Survey:
    form = request.form
    survey = survey_pb.Survey(
        title=form.get("title", ""),
        question=form.get("question", ""),
        subject=form.get("subject", ""),
        body=form.get("body", ""),
        channels=form.getlist("channel"),
        least=1,
        most=5,
        satisfied_from=4,
        reminder_after_days=int(_number("reminder_after_days")),
        reminders=int(_number("reminders")),
        open_days=int(_number("open_days")),
        recurring=bool(form.get("recurring")),
    )
    ParseDict(_segment(), survey.segment)
    return survey


def _one_of(name: str, known: tuple[str, ...]) -> str:
    text = request.form.get(name, "")
    if text not in known:
        raise NotFound(metadata={"name": text[:40]})
    return text


def _number(name: str) -> float:
    """A number of the form; what is none counts as 0, and crm says what it may be."""
    try:
        return max(-1e6, min(1e6, float(request.form.get(name) or 0)))
    except ValueError:
        return 0.0


def _start(text: str, timezone: str) -> datetime | None:
    """An instant from a field of local time; None when it is empty: at once."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    except ValueError:
        return None
