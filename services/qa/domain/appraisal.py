"""An appraisal: parts are collected, finalised, published, answered, and closed with a plan for each miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.kit.machine import Machine, Transition
from services.qa.domain.scorecard import EXCELLENT, GOOD, QUALIFIED, UNQUALIFIED

DATA, REVIEWS, CUSTOMER, SUPERVISOR, PEERS = "DATA", "REVIEWS", "CUSTOMER", "SUPERVISOR", "PEERS"
# What a grade counts where a scorecard gives no score: a full mark, and the bars that most sites set for the others.
GRADE_SHARE: Final = {EXCELLENT: 1.0, GOOD: 0.8, QUALIFIED: 0.6, UNQUALIFIED: 0.0}
PUBLIC: Final = ("PUBLISHED", "ACKNOWLEDGED", "APPEALED", "CLOSED")
OUTCOMES: Final = frozenset({"TRAINING", "REASSIGNMENT", "COACHING"})
"""What a failed appraisal ends in (LIVE-2.3.3-3, TAOBAO-3-3.4.2-1)."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """One person's appraisal of one period. `parts` are 0 to 1, `score` 0 to 100, `misses` want a plan each."""

    site: str
    id: str
    period: str
    person: str
    state: str
    revision: int
    opened_at: datetime
    supervisor: str = ""
    marks: Mapping[str, int] = field(default_factory=dict)
    comment: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    grade: str = ""
    misses: tuple[str, ...] = ()
    appeal: str = ""
    decision: str = ""
    decider: str = ""
    minutes: str = ""
    published_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/appraisals/{self.id}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done about a miss, by whom, until when."""

    miss: str
    action: str
    owner: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What a step is judged by."""

    missing: Sequence[str] = ()
    unplanned: Sequence[str] = ()
    window_open: bool = True
    outcome_owed: bool = False
    minutes_owed: bool = False


def nothing_missing(facts: Facts) -> str | None:
    """Every part that the profile weighs is there."""
    return f"PART_MISSING:{','.join(facts.missing)}" if facts.missing else None


def in_window(facts: Facts) -> str | None:
    """Appeals come within the profile's window."""
    return None if facts.window_open else "WINDOW_OVER"


def all_planned(facts: Facts) -> str | None:
    """Each miss has a plan, a failed appraisal an outcome, a quarter the minutes of its review meeting."""
    if facts.unplanned:
        return f"PLAN_MISSING:{','.join(facts.unplanned)}"
    if facts.outcome_owed:
        return "OUTCOME_MISSING"
    return "MINUTES_MISSING" if facts.minutes_owed else None


# ENTITIES §7.35.
APPRAISAL: Final = Machine[Facts](
    "appraisal",
    initial="OPEN",
    states=("OPEN", "COLLECTING", "FINALISED", "PUBLISHED", "ACKNOWLEDGED", "APPEALED", "CLOSED"),
    transitions=(
        Transition("collect", ("OPEN", "COLLECTING"), "COLLECTING"),
        Transition("finalise", ("OPEN", "COLLECTING"), "FINALISED", guards=(nothing_missing,)),
        Transition("publish", ("FINALISED",), "PUBLISHED"),
        Transition("acknowledge", ("PUBLISHED",), "ACKNOWLEDGED"),
        Transition("appeal", ("PUBLISHED",), "APPEALED", guards=(in_window,)),
        Transition("uphold", ("APPEALED",), "ACKNOWLEDGED"),
        Transition("grant", ("APPEALED",), "COLLECTING"),
        Transition("close", ("ACKNOWLEDGED",), "CLOSED", guards=(all_planned,)),
    ),
)


def grade_of(score: float | None, bars: Mapping[str, float]) -> str:
    """The best grade whose bar a score reaches; empty without a score or bars."""
    if score is None or not bars:
        return ""
    reached = (grade for grade in (EXCELLENT, GOOD, QUALIFIED) if grade in bars and score >= bars[grade])
    return next(reached, UNQUALIFIED)
