"""Reviews: the list, and the room: what was said or recorded beside the rubric that it is marked by."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, request, url_for
from kefu.qa.v1 import review_pb2 as pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.judging import Judging
from services.gateway.console.pages import recordings
from services.gateway.console.pages.customers import id_of
from services.gateway.console.present import marks
from services.gateway.console.qa import Qa
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError, NotFound

# What the list shows: those in a state, or those that are late.
OVERDUE: Final = "OVERDUE"
STATES: Final = tuple(name.removeprefix("STATE_") for name, value in pb.Review.State.items() if value)
SHOWN: Final = (STATES[0], OVERDUE, *STATES[1:])
# Whose: marked by me, about my service, or everything that I may see.
WHOSE: Final = ("BY_ME", "OF_ME", "ALL")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/reviews")
    def reviews(site: str) -> str:
        frame = shell.frame(site, "reviews")
        mine = WHOSE[0] if shell.gate.may("reviews.write", site) else WHOSE[1]
        asked = {"whose": request.args.get("whose", mine), "shown": request.args.get("shown", "")}
        whose = {"BY_ME": "reviewer", "OF_ME": "person"}.get(asked["whose"])
        found = Judging(shell.gate, site).reviews(
            **({whose: frame.person} if whose else {}),
            state=f"STATE_{asked['shown']}" if asked["shown"] in STATES else 0,
            overdue=asked["shown"] == OVERDUE,
            page_token=request.args.get("page", ""),
        )
        token = found.next_page_token
        return shell.render(
            "pages/reviews.html",
            frame=frame,
            reviews=found.reviews,
            names=shell.names(site),
            asked=asked,
            whose=WHOSE,
            shown=SHOWN,
            next_href=f"?{urlencode({**asked, 'page': token})}" if token else "",
            **_of_templates(),
        )

    @blueprint.get("/s/<site>/reviews/<review>")
    def review(site: str, review: str) -> str:
        return _room(site, review)

    @blueprint.post("/s/<site>/reviews/<review>")
    def act_on_review(site: str, review: str) -> AnyResponse:
        judging, form = Judging(shell.gate, shell.site(site).id), request.form
        try:
            if "open" in form:  # what has been filled in so far stays
                return Response(_room(site, review, playback=_open(site, judging.review(review))))
            action = form.get("action", "")
            if action == "submit":
                rubric = judging.rubric(judging.review(review).rubric)
                judging.submit(
                    review,
                    answers=list(marks.answers(form, rubric.criteria)),
                    evidence=list(marks.evidence(form)),
                    coaching=form.get("coaching", "").strip(),
                )
            elif action == "acknowledge":
                judging.acknowledge(review)
            elif action == "dispute":
                judging.dispute(review, form.get("reason", "").strip())
            else:
                raise NotFound(metadata={"name": action[:40]})
        except KefuError as error:
            page = _room(site, review, playback=form.get("playback", ""), fault=shell.fault(error))
            return Response(page, 422)
        return redirect(url_for("console.review", site=site, review=review), 303)

    def _open(site: str, review: pb.Review) -> str:
        return id_of(Qa(shell.gate, site).play(id_of(review.recording), unmasked=False, reason="").name)

    def _room(site: str, review: str, *, playback: str = "", fault: str = "") -> str:
        frame = shell.frame(site, "reviews")
        judging = Judging(shell.gate, site)
        found = judging.review(review)
        waiting, submitted = found.state == pb.Review.STATE_ASSIGNED, found.state == pb.Review.STATE_SUBMITTED
        marking = waiting and found.reviewer == frame.person and shell.gate.may("reviews.write", site)
        return shell.render(
            "pages/review.html",
            frame=frame,
            review=found,
            id=review,
            criteria=judging.rubric(found.rubric).criteria,
            answers={one.criterion: one for one in found.answers},
            marking=marking,
            answering=submitted and found.person == frame.person and shell.gate.may("reviews.answer", site),
            scale=marks.scale(shell.profiles()[site]),
            not_applicable=marks.NOT_APPLICABLE,
            given=request.form,
            places=marks.places(request.form),
            names=shell.names(site),
            may_manage=shell.gate.may("reviews.manage", site),
            fault=fault,
            **_content(site, id_of(found.recording), playback),
            **_of_templates(),
        )

    def _content(site: str, recording: str, playback: str) -> dict[str, Any]:
        """The recording for who may hear it. One whose time is over can be opened again: nothing is lost by it."""
        shown: dict[str, Any] = {"recording": None, "transcript": None, "playback": ""}
        if not shell.gate.may("recordings.play", site):
            return shown
        qa = Qa(shell.gate, site)
        shown["recording"] = found = qa.recording(recording)
        if playback and recordings.kind_of(found) == "TRANSCRIPT":
            try:
                shown["transcript"] = qa.transcript(recording, playback)
            except KefuError:
                return shown
        return {**shown, "playback": playback}


def _of_templates() -> dict[str, Any]:
    return {
        "id_of": id_of,
        "kind_of": recordings.kind_of,
        "state_of": state_of,
        "origin_of": origin_of,
        "utc": UTC,
    }


def state_of(review: pb.Review) -> str:
    """A review's state without its prefix."""
    return pb.Review.State.Name(review.state).removeprefix("STATE_")


def origin_of(review: pb.Review) -> str:
    """Why the recording is reviewed, without the prefix."""
    return pb.Review.Origin.Name(review.origin).removeprefix("ORIGIN_")
