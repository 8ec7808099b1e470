"""Life cycles of care, declared (ENTITIES §7.43-47); a survey has that of its campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.kit.machine import Machine, Transition


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts on what another made, and what they bring along."""

    actor: str
    author: str = ""
    audience: int = 1
    note: str = ""
    reason: str = ""
    offer: str = ""
    attempts: int = 0
    most_attempts: int = 0
    held_back: bool = False


def second_person(act: Act) -> str | None:
    """Nobody approves their own work."""
    return "SAME_PERSON" if act.actor == act.author else None


def somebody_there(act: Act) -> str | None:
    """A campaign for nobody is a mistake."""
    return None if act.audience > 0 else "EMPTY_AUDIENCE"


def attempts_left(act: Act) -> str | None:
    """Lost customers are not pursued for ever."""
    return None if act.attempts < act.most_attempts else "ATTEMPTS_USED_UP"


def not_held_back(act: Act) -> str | None:
    """Whoever is held back for comparison is left in peace."""
    return "HELD_BACK" if act.held_back else None


def needs(field: str, reason: str) -> Callable[[Act], str | None]:
    """A guard that wants a field filled in."""
    return lambda act: None if getattr(act, field).strip() else reason


has_note: Final = needs("note", "NOTE_MISSING")
has_reason: Final = needs("reason", "REASON_MISSING")
has_offer: Final = needs("offer", "OFFER_MISSING")

CAMPAIGN: Final = Machine[Act](
    "campaign",
    initial="DRAFT",
    states=("DRAFT", "APPROVED", "SCHEDULED", "RUNNING", "ENDED", "EVALUATED", "CANCELLED"),
    transitions=(
        Transition("approve", ("DRAFT",), "APPROVED", guards=(second_person,)),
        Transition("schedule", ("APPROVED",), "SCHEDULED"),
        Transition("begin", ("SCHEDULED",), "RUNNING", guards=(somebody_there,)),
        Transition("end", ("RUNNING",), "ENDED"),
        Transition("evaluate", ("ENDED",), "EVALUATED"),
        Transition("cancel", ("DRAFT", "APPROVED", "SCHEDULED", "RUNNING"), "CANCELLED", guards=(has_reason,)),
    ),
)
COMMITMENT: Final = Machine[Act](
    "commitment",
    initial="OPEN",
    states=("OPEN", "KEPT", "BROKEN"),
    transitions=(
        Transition("keep", ("OPEN",), "KEPT", guards=(has_note,)),
        Transition("break", ("OPEN",), "BROKEN"),
    ),
)
TASK: Final = Machine[Act](
    "contact_task",
    initial="DUE",
    states=("DUE", "DONE", "SKIPPED"),
    transitions=(
        Transition("complete", ("DUE",), "DONE", guards=(has_note,)),
        Transition("skip", ("DUE",), "SKIPPED", guards=(has_reason,)),
    ),
)
WIN_BACK: Final = Machine[Act](
    "win_back",
    initial="DETECTED",
    states=("DETECTED", "PLANNED", "CONTACTED", "RESPONDED", "WON_BACK", "LOST"),
    transitions=(
        Transition("plan", ("DETECTED", "PLANNED"), "PLANNED", guards=(not_held_back, has_reason, has_offer)),
        Transition("contact", ("PLANNED", "CONTACTED"), "CONTACTED", guards=(has_note, attempts_left)),
        Transition("respond", ("CONTACTED",), "RESPONDED", guards=(has_note,)),
        # a purchase speaks for itself, at any stage and for those held back too
        Transition("return", ("DETECTED", "PLANNED", "CONTACTED", "RESPONDED"), "WON_BACK"),
        Transition("give_up", ("DETECTED", "PLANNED", "CONTACTED", "RESPONDED"), "LOST"),
    ),
)
REQUEST: Final = Machine[Act](
    "data_request",
    initial="OPEN",
    states=("OPEN", "VERIFIED", "FULFILLING", "FULFILLED", "REFUSED"),
    transitions=(
        Transition("verify", ("OPEN",), "VERIFIED", guards=(has_note,)),
        Transition("fulfil", ("VERIFIED",), "FULFILLING", guards=(second_person,)),
        Transition("finish", ("VERIFIED", "FULFILLING"), "FULFILLED"),
        Transition("refuse", ("OPEN", "VERIFIED"), "REFUSED", guards=(has_reason,)),
    ),
)
