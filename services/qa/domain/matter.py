"""What follows from quality: improvement actions, proposals, violations, penalties, rewards; their life cycles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.kit.machine import Machine, Transition

ACTION, PROPOSAL, VIOLATION, PENALTY, REWARD = "ACTION", "PROPOSAL", "VIOLATION", "PENALTY", "REWARD"
MINOR, SERIOUS = "MINOR", "SERIOUS"
FINE: Final = "FINE"
MANAGE, APPROVE = "matters.manage", "matters.approve"


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter. `person` is whom it concerns: who owns an action, made a proposal, is punished or rewarded."""

    site: str
    id: str
    kind: str
    state: str
    revision: int
    code: str
    severity: str
    person: str
    author: str
    evidence: tuple[str, ...]
    title: str
    opened_at: datetime
    approvers: tuple[str, ...] = ()
    amount_fen: int = 0
    note: str = ""
    due_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/matters/{self.id}"


@dataclass(frozen=True, slots=True)
class Act:
    """Who takes a step, with what; `due` is the end of the window in which the concerned may appeal."""

    actor: str
    note: str
    now: datetime
    matter: Matter


def concerned(act: Act) -> str | None:
    """Only whom it concerns."""
    return None if act.actor == act.matter.person else "NOT_CONCERNED"


def another(act: Act) -> str | None:
    """Neither who began it, nor whom it concerns, nor who approved it already."""
    taken = (act.matter.author, act.matter.person, *act.matter.approvers)
    return "SAME_PERSON" if act.actor in taken else None


def not_concerned(act: Act) -> str | None:
    """Not whom it concerns."""
    return "SAME_PERSON" if act.actor == act.matter.person else None


def noted(reason: str) -> Callable[[Act], str | None]:
    """A guard that wants something written."""
    return lambda act: None if act.note.strip() else reason


def needs_one(act: Act) -> str | None:
    """A minor penalty takes one approval."""
    return None if act.matter.severity == MINOR else "TWO_APPROVALS_NEEDED"


def needs_two(act: Act) -> str | None:
    """A serious penalty takes two."""
    return None if act.matter.severity == SERIOUS else "ONE_APPROVAL_NEEDED"


def in_window(act: Act) -> str | None:
    """Appeals come in time."""
    return "WINDOW_OVER" if act.matter.due_at is not None and act.now > act.matter.due_at else None


def window_over(act: Act) -> str | None:
    """Nothing is applied while an appeal is possible."""
    return "APPEAL_POSSIBLE" if act.matter.due_at is not None and act.now <= act.matter.due_at else None


has_evidence: Final[Callable[[Act], str | None]] = lambda act: None if act.matter.evidence else "EVIDENCE_MISSING"  # noqa: E731

MACHINES: Final = {
    # ENTITIES §7.36: whoever did it does not verify it.
    ACTION: Machine[Act](
        "action",
        initial="PROPOSED",
        states=("PROPOSED", "IN_PROGRESS", "DONE", "VERIFIED", "DROPPED"),
        transitions=(
            Transition("start", ("PROPOSED",), "IN_PROGRESS"),
            Transition("finish", ("IN_PROGRESS",), "DONE", guards=(noted("EFFECT_MISSING"),)),
            Transition("verify", ("DONE",), "VERIFIED", MANAGE, guards=(not_concerned,)),
            Transition("resume", ("DONE",), "IN_PROGRESS", MANAGE, guards=(noted("REASON_MISSING"),)),
            Transition("drop", ("PROPOSED", "IN_PROGRESS"), "DROPPED", MANAGE, guards=(noted("REASON_MISSING"),)),
        ),
    ),
    PROPOSAL: Machine[Act](
        "proposal",
        initial="SUBMITTED",
        states=("SUBMITTED", "TRIALLED", "PROVEN", "REWARDED", "DECLINED"),
        transitions=(
            Transition("try", ("SUBMITTED",), "TRIALLED", MANAGE, guards=(not_concerned,)),
            Transition("prove", ("TRIALLED",), "PROVEN", MANAGE, guards=(not_concerned, noted("EFFECT_MISSING"))),
            Transition("reward", ("PROVEN",), "REWARDED", MANAGE, guards=(not_concerned,)),
            Transition(
                "decline", ("SUBMITTED", "TRIALLED", "PROVEN"), "DECLINED", MANAGE, guards=(noted("REASON_MISSING"),)
            ),
        ),
    ),
    REWARD: Machine[Act](
        "reward",
        initial="PROPOSED",
        states=("PROPOSED", "APPROVED", "GRANTED", "PAID", "REFUSED"),
        transitions=(
            Transition("approve", ("PROPOSED",), "APPROVED", APPROVE, guards=(has_evidence, another)),
            Transition("grant", ("APPROVED",), "GRANTED", MANAGE),
            Transition("pay", ("GRANTED",), "PAID", APPROVE, guards=(not_concerned,)),
            Transition("refuse", ("PROPOSED", "APPROVED"), "REFUSED", APPROVE, guards=(noted("REASON_MISSING"),)),
        ),
    ),
    # ENTITIES §7.38.
    VIOLATION: Machine[Act](
        "violation",
        initial="REPORTED",
        states=("REPORTED", "CONFIRMED", "DISMISSED"),
        transitions=(
            Transition("confirm", ("REPORTED",), "CONFIRMED", MANAGE, guards=(has_evidence, another)),
            Transition("dismiss", ("REPORTED",), "DISMISSED", MANAGE, guards=(noted("REASON_MISSING"),)),
        ),
    ),
    PENALTY: Machine[Act](
        "penalty",
        initial="PROPOSED",
        states=("PROPOSED", "SECONDED", "NOTIFIED", "APPEALED", "APPLIED", "REVOKED"),
        transitions=(
            Transition("second", ("PROPOSED",), "SECONDED", APPROVE, guards=(needs_two, another)),
            Transition("approve", ("SECONDED",), "NOTIFIED", APPROVE, guards=(another,)),
            Transition("approve_minor", ("PROPOSED",), "NOTIFIED", APPROVE, guards=(needs_one, another)),
            Transition("appeal", ("NOTIFIED",), "APPEALED", guards=(concerned, in_window, noted("REASON_MISSING"))),
            Transition("apply", ("NOTIFIED",), "APPLIED", MANAGE, guards=(not_concerned, window_over)),
            Transition("uphold", ("APPEALED",), "APPLIED", APPROVE, guards=(another, noted("REASON_MISSING"))),
            Transition(
                "revoke",
                ("PROPOSED", "SECONDED", "NOTIFIED", "APPEALED"),
                "REVOKED",
                APPROVE,
                guards=(not_concerned, noted("REASON_MISSING")),
            ),
        ),
    ),
}
APPROVALS: Final = frozenset({"second", "approve", "approve_minor"})
ENDS: Final = frozenset({"VERIFIED", "DROPPED", "REWARDED", "DECLINED", "PAID", "REFUSED", "CONFIRMED", "DISMISSED",
                         "APPLIED", "REVOKED"})  # fmt: skip


def ladder_fault(code: str, severity: str, ladder: Sequence[str], *, fines_lawful: bool) -> str | None:
    """Why a penalty may not be proposed; None where it may. Fines need the law's leave beside the ladder."""
    if code not in ladder:
        return f"penalty.{severity.lower()}"
    return "penalty.fines_lawful" if code == FINE and not fines_lawful else None
