"""Satisfaction surveys: who is reminded, and what the answers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.crm.domain.intervals import Interval, wilson


@dataclass(frozen=True, slots=True)
class Scale:
    """Scores from `least` to `most`; `satisfied_from` and above count as satisfied."""

    least: int
    most: int
    satisfied_from: int

    def __post_init__(self) -> None:
        """Check; raises ValueError."""
        if not self.least < self.satisfied_from <= self.most:
            raise ValueError("a scale needs least < satisfied_from <= most")

    def has(self, score: int) -> bool:
        """Whether a score is on the scale."""
        return self.least <= score <= self.most


@dataclass(frozen=True, slots=True)
class Invitation:
    """One customer's invitation."""

    sent_at: datetime
    reminders: int
    last_reminded_at: datetime | None
    answered: bool


@dataclass(frozen=True, slots=True)
class Reminding:
    """At most `most` reminders, each `after` the message before."""

    after: timedelta
    most: int


def reminder_due(invitation: Invitation, rule: Reminding, now: datetime) -> bool:
    """Whether a reminder is to go now: never to who has answered."""
    if invitation.answered or invitation.reminders >= rule.most:
        return False
    return now - (invitation.last_reminded_at or invitation.sent_at) >= rule.after


@dataclass(frozen=True, slots=True)
class Survey:
    """A survey; the campaign of the same id sends it."""

    site: str
    id: str
    question: str
    scale: Scale
    reminding: Reminding

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/surveys/{self.id}"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a survey. `satisfied` is the share of the answers, `response` that of the invited."""

    invited: int
    answered: int
    response: Interval
    mean: float | None
    satisfied: Interval
    distribution: Mapping[int, int]


def report(invited: int, scores: Sequence[int], scale: Scale, *, level: float = 0.95) -> Report:
    """Sum up; intervals by Wilson's score method. Raises ValueError for more answers than invitations."""
    counts = Counter(scores)
    satisfied = sum(count for score, count in counts.items() if score >= scale.satisfied_from)
    return Report(
        invited=invited,
        answered=len(scores),
        response=wilson(len(scores), invited, level=level),
        mean=sum(scores) / len(scores) if scores else None,
        satisfied=wilson(satisfied, len(scores), level=level),
        distribution={score: counts[score] for score in range(scale.least, scale.most + 1)},
    )
