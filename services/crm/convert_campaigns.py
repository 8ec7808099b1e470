"""Contract ↔ domain: campaigns."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from kefu.crm.v1 import campaign_service_pb2 as api
from kefu.crm.v1 import customer_pb2 as pb

from services.crm.convert import purpose_from
from services.crm.domain import segment_form
from services.crm.domain.campaign import Campaign, Draft
from services.crm.domain.guard import Purpose
from services.crm.domain.holdout import Arm, Group
from services.crm.domain.segment import Reason, Segment, SegmentError, Value
from services.crm.queries.campaigns import Fate, Preview, Result
from services.kit.errors import InvalidArgument
from services.kit.instants import stamp


def draft_from(campaign: api.Campaign) -> Draft:
    """What somebody wants to send. Raises InvalidArgument for a segment or coupon that makes no sense."""
    if bool(campaign.coupon_fen) != bool(campaign.coupon_days):
        raise InvalidArgument.field("campaign.coupon_days", "a coupon has a worth and days, or neither")
    return Draft(
        kind=api.Campaign.Kind.Name(campaign.kind).removeprefix("KIND_"),
        purpose=Purpose(purpose_from(campaign.purpose)),
        title=campaign.title.strip(),
        subject=campaign.subject.strip(),
        body=campaign.body,
        channels=tuple(dict.fromkeys(campaign.channels)),
        segment=segment_from(campaign.segment, "campaign.segment"),
        holdout_share=campaign.holdout_share,
        window_days=campaign.window_days,
        recurring=campaign.recurring,
        coupon_fen=campaign.coupon_fen,
        coupon_days=campaign.coupon_days,
    )


def campaign_to(campaign: Campaign) -> api.Campaign:
    """A campaign as it stands."""
    draft, seed = campaign.draft, campaign.open_seed
    return api.Campaign(
        name=campaign.name,
        kind=api.Campaign.Kind.Value(f"KIND_{draft.kind}"),
        purpose=pb.Purpose.Value(f"PURPOSE_{draft.purpose}"),
        title=draft.title,
        subject=draft.subject,
        body=draft.body,
        channels=draft.channels,
        segment=segment_to(draft.segment),
        holdout_share=draft.holdout_share,
        window_days=draft.window_days,
        recurring=draft.recurring,
        coupon_fen=draft.coupon_fen,
        coupon_days=draft.coupon_days,
        state=api.Campaign.State.Value(f"STATE_{campaign.state}"),
        author=campaign.author,
        approver=campaign.approver,
        start_time=stamp(campaign.start_at),
        end_time=stamp(campaign.ended_at),
        seed_sha256=campaign.seed_hash,
        seed="" if seed is None else seed.hex(),
        cancel_reason=campaign.reason,
    )


def preview_to(site: str, found: Preview) -> api.CampaignPreview:
    """Who would get what."""
    return api.CampaignPreview(
        customers=found.customers,
        audience=found.segment,
        unknown=found.unknown,
        held_back=found.held_back,
        waiting=found.waiting,
        channels=[api.CampaignCount(key=key, count=count) for key, count in sorted(found.channels.items())],
        barred=[api.CampaignCount(key="BARRED", reason=why, count=n) for why, n in sorted(found.barred.items())],
        sample=[_fate_to(site, one) for one in found.sample],
    )


def result_to(found: Result) -> api.CampaignResult:
    """What a campaign did."""
    made = api.CampaignResult(
        messages=[
            api.CampaignCount(key=state, reason=reason, count=count)
            for (state, reason), count in sorted(found.messages.items())
        ],
        treated=_arm_to(found.arms.get(Arm.TREATED)),
        held_back=_arm_to(found.arms.get(Arm.HELD_BACK)),
    )
    if found.lift is not None:
        made.lift, made.lift_low, made.lift_high = (
            found.lift.difference.estimate,
            found.lift.difference.low,
            found.lift.difference.high,
        )
    return made


def _arm_to(group: Group | None) -> api.CampaignArm:
    return api.CampaignArm() if group is None else api.CampaignArm(customers=group.customers, bought=group.converted)


def _fate_to(site: str, fate: Fate) -> api.CampaignFate:
    return api.CampaignFate(
        customer=f"sites/{site}/customers/{fate.customer}",
        held_back=fate.arm is Arm.HELD_BACK,
        channel=fate.channel,
        barred=fate.barred,
        reasons=[_reason_to(one) for one in fate.reasons],
    )


def _reason_to(reason: Reason) -> api.CampaignReason:
    return api.CampaignReason(field=reason.condition.field, value=_words(reason.value), holds=reason.holds is True)


def _words(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def segment_from(form: Struct, field: str) -> Segment:
    """A segment in its JSON form. Raises InvalidArgument on `field` with what is wrong."""
    try:
        return segment_form.read(MessageToDict(form))
    except SegmentError as fault:
        raise InvalidArgument.field(field, str(fault)) from fault


def segment_to(segment: Segment) -> Struct:
    """A segment in its JSON form."""
    made = Struct()
    plain: dict[str, Any] = segment_form.plain(segment)
    made.update(plain)
    return made
