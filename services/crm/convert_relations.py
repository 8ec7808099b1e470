"""Contract ↔ domain: commitments, contact tasks, winning back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kefu.crm.v1 import campaign_service_pb2 as campaigns
from kefu.crm.v1 import care_service_pb2 as care
from kefu.crm.v1 import win_back_service_pb2 as win_backs

from services.crm.domain.commitment import Commitment
from services.crm.domain.holdout import Arm, Group, lift
from services.crm.domain.win_back import WinBack
from services.crm.store.contact_tasks import Task
from services.kit.instants import stamp

Words = Mapping[tuple[str, str], str]
# Stored replies hold no words: these are in the rows that erasure overwrites alone.
NONE: Words = {}


def state_from(name: str) -> str:
    """A state without its prefix; empty for unspecified."""
    return "" if name == "STATE_UNSPECIFIED" else name.removeprefix("STATE_")


def commitment_to(one: Commitment, words: Words = NONE) -> care.Commitment:
    """A promise."""
    return care.Commitment(
        name=one.name,
        customer=f"sites/{one.site}/customers/{one.customer}",
        owner=one.owner,
        conversation=one.conversation,
        state=care.Commitment.State.Value(f"STATE_{one.state}"),
        due_time=stamp(one.due_at),
        end_time=stamp(one.ended_at),
        promise=words.get((one.name, "PROMISE"), ""),
        note=words.get((one.name, "NOTE"), ""),
    )


def task_to(task: Task, words: Words = NONE) -> care.ContactTask:
    """A word to have."""
    return care.ContactTask(
        name=task.name,
        customer=f"sites/{task.site}/customers/{task.customer}",
        cause=care.ContactTask.Cause.Value(f"CAUSE_{task.cause}"),
        state=care.ContactTask.State.Value(f"STATE_{task.state}"),
        create_time=stamp(task.made_at),
        end_time=stamp(task.ended_at),
        ended_by=task.ended_by,
        note=words.get((task.name, "NOTE"), ""),
    )


def cause_from(cause: win_backs.WinBack.Cause.ValueType) -> str:
    """Why a customer was lost; empty where nobody knows yet."""
    name = win_backs.WinBack.Cause.Name(cause)
    return "" if name == "CAUSE_UNSPECIFIED" else name.removeprefix("CAUSE_")


def win_back_to(case: WinBack, words: Words = NONE) -> win_backs.WinBack:
    """A case."""
    kinds = [f"CONTACT_{number}" for number in range(1, case.contacts + 1)] + ["RESPONSE"]
    return win_backs.WinBack(
        name=case.name,
        customer=f"sites/{case.site}/customers/{case.customer}",
        held_back=case.arm == Arm.HELD_BACK,
        state=win_backs.WinBack.State.Value(f"STATE_{case.state}"),
        cause=win_backs.WinBack.Cause.Value(f"CAUSE_{case.cause or 'UNSPECIFIED'}"),
        reward_points=case.reward_points,
        coupon_fen=case.coupon_fen,
        contacts=case.contacts,
        owner=case.owner,
        detect_time=stamp(case.detected_at),
        deadline=stamp(case.ends_at),
        end_time=stamp(case.ended_at),
        notes=[words[case.name, kind] for kind in kinds if (case.name, kind) in words],
    )


def win_back_report_to(
    states: Mapping[str, int], causes: Sequence[tuple[str, int, int]], arms: Mapping[str, Group]
) -> win_backs.WinBackReport:
    """Causes, states, and the lift over those left in peace."""
    nobody = Group(0, 0)
    treated, held_back = arms.get(Arm.TREATED, nobody), arms.get(Arm.HELD_BACK, nobody)
    made = win_backs.WinBackReport(
        states=[campaigns.CampaignCount(key=state, count=count) for state, count in sorted(states.items())],
        causes=[
            win_backs.WinBackCause(cause=win_backs.WinBack.Cause.Value(f"CAUSE_{cause}"), cases=cases, won_back=won)
            for cause, cases, won in causes
        ],
        treated=campaigns.CampaignArm(customers=treated.customers, bought=treated.converted),
        held_back=campaigns.CampaignArm(customers=held_back.customers, bought=held_back.converted),
    )
    if (found := lift(treated, held_back)) is not None:
        difference = found.difference
        made.lift, made.lift_low, made.lift_high = difference.estimate, difference.low, difference.high
    return made
