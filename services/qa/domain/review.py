"""A review: who says what of which recording, and how it goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.kit.machine import Machine, Transition
from services.qa.domain.rubric import Answer

ASSIGNED, SUBMITTED, ACKNOWLEDGED, DISPUTED, RESOLVED = "ASSIGNED", "SUBMITTED", "ACKNOWLEDGED", "DISPUTED", "RESOLVED"
DRAWN, RISK, AD_HOC, DISPUTE = "DRAWN", "RISK", "AD_HOC", "DISPUTE"
DRAFT, PUBLISHED, SUPERSEDED = "DRAFT", "PUBLISHED", "SUPERSEDED"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the site's profile says of reviews; None where it sets no limit."""

    own_team: bool
    due: timedelta | None
    dispute_window: timedelta | None
    disputes_max: int


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the recording, seconds from its beginning."""

    at_s: float
    until_s: float = 0.0
    criterion: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """One review. `replaces` is the disputed one that it takes the place of, `disputes` how many came before it."""

    site: str
    id: str
    recording: str
    person: str
    reviewer: str
    rubric: str
    origin: str
    state: str
    revision: int
    assigned_at: datetime
    due_at: datetime | None = None
    overdue: bool = False
    submitted_at: datetime | None = None
    score: float | None = None
    failed: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    evidence: tuple[Place, ...] = ()
    coaching: str = ""
    dispute: str = ""
    replaces: str = ""
    disputes: int = 0

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/reviews/{self.id}"


@dataclass(frozen=True, slots=True)
class Objection:
    """What a dispute is judged by."""

    now: datetime
    submitted_at: datetime
    disputes: int
    limits: Limits
    other_reviewer: bool


def window_open(objection: Objection) -> str | None:
    """Disputes come within the profile's window."""
    window = objection.limits.dispute_window
    over = window is not None and objection.now > objection.submitted_at + window
    return "WINDOW_OVER" if over else None


def disputes_left(objection: Objection) -> str | None:
    """A recording is disputed so many times at most."""
    return None if objection.disputes < objection.limits.disputes_max else "DISPUTES_USED_UP"


def other_reviewer(objection: Objection) -> str | None:
    """Whoever reviewed it does not judge the dispute."""
    return None if objection.other_reviewer else "NO_OTHER_REVIEWER"


# ENTITIES §7.34. A disputed review is resolved by another one of the same recording, which counts in its place.
REVIEW: Final = Machine[Objection | None](
    "review",
    initial=ASSIGNED,
    states=(ASSIGNED, SUBMITTED, ACKNOWLEDGED, DISPUTED, RESOLVED),
    transitions=(
        Transition("submit", (ASSIGNED,), SUBMITTED),
        Transition("acknowledge", (SUBMITTED,), ACKNOWLEDGED),
        Transition(
            "dispute",
            (SUBMITTED,),
            DISPUTED,
            guards=(window_open, disputes_left, other_reviewer),  # type: ignore[arg-type]
        ),
        Transition("resolve", (DISPUTED,), RESOLVED),
    ),
)
