"""A site's scheduling problem: whole weeks from a Monday, at most one shift a day, times in minutes of the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.staffing.roster.cover import Counts

QUARTER: Final = 15
DAY: Final = 24 * 60
SUPERVISING: Final = "SUPERVISOR"
"""The activity of whoever leads a shift; the others are skills."""
NIGHT: Final = (22 * 60, 30 * 60)
"""Night work, minutes after midnight: 22:00 to 06:00, as labour law counts it in most countries."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift that may be worked on any day: `start` minutes after midnight, `minutes` long with its unpaid break.

    The break lies at least `lead` minutes from either end.
    """

    id: str
    start: int
    minutes: int
    rest: int
    lead: int

    @property
    def paid(self) -> int:
        """Minutes that count as work."""
        return self.minutes - self.rest

    @property
    def end(self) -> int:
        """Minutes after midnight of the day of its start."""
        return self.start + self.minutes

    @property
    def night(self) -> bool:
        """Whether any of it lies in the night, on either side of midnight."""
        return any(
            self.start < last - shift and self.end > first - shift for first, last in [NIGHT] for shift in (0, DAY)
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish for a day: `shift` is the number of the shift wished for, -1 for a day off, None for any work at all."""

    day: int
    shift: int | None
    weight: int


@dataclass(frozen=True, slots=True)
class Person:
    """Who is rostered. Minutes by week; `fixed` and `published` say the shift's number by day, -1 for a day off.

    `past` are unsocial shifts worked lately beyond those of the colleague with fewest; `run` days worked in a row up to
    the first day, `free` minutes without work before it, negative where a shift reaches into it.
    """

    id: str
    activities: tuple[int, ...]
    least: int
    most: int
    leave: frozenset[int] = frozenset()
    fixed: Mapping[int, int] = field(default_factory=dict)
    wishes: tuple[Wish, ...] = ()
    published: Mapping[int, int] = field(default_factory=dict)
    past: int = 0
    run: int = 0
    free: int = 7 * DAY

    @property
    def likeness(self) -> tuple[object, ...]:
        """Equal for people who may swap rosters."""
        fixed, published = tuple(sorted(self.fixed.items())), tuple(sorted(self.published.items()))
        rest = (self.past, self.run, self.free)
        return (self.activities, self.least, self.most, self.leave, fixed, self.wishes, published, *rest)


@dataclass(frozen=True, slots=True)
class Trainee:
    """Somebody who works the shifts of their mentor but for their own leave, and covers nothing."""

    id: str
    mentor: str
    leave: frozenset[int]


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard rules of the site, minutes: free time within every week in one piece, and between two shifts."""

    weekly_rest: int
    between: int
    days_in_row: int


@dataclass(frozen=True, slots=True)
class Weights:
    """What breaking a soft rule once costs: whole numbers, by person and quarter hour where time is counted."""

    missing: int = 100
    unsupervised: int = 200
    surplus: int = 10
    contract: int = 4
    fairness: int = 30
    changed: int = 60


@dataclass(frozen=True, slots=True)
class Week:
    """The whole problem. `need` by quarter hour (one day more than `days`, for nights) and activity."""

    days: int
    shifts: Sequence[Shift]
    activities: Sequence[str]
    people: Sequence[Person]
    trainees: Sequence[Trainee]
    limits: Limits
    weights: Weights
    holidays: frozenset[int]
    need: Counts

    def unsocial(self, day: int, shift: int) -> bool:
        """Whether a shift counts for fairness: nights, weekends and public holidays."""
        return day % 7 > 4 or day in self.holidays or self.shifts[shift].night

    @property
    def slots(self) -> int:
        """Quarter hours."""
        return (self.days + 1) * DAY // QUARTER


def due(person: Person, week: int) -> int:
    """Minutes of contract in a week: a fifth less for each day of leave."""
    away = sum(1 for day in person.leave if day // 7 == week)
    return max(0, person.least - person.least * away // 5)


def shape(problem: Week) -> tuple[int, int]:
    """Quarter hours and activities."""
    return problem.slots, len(problem.activities)


def empty(problem_days: int, activities: int) -> Counts:
    """No need at all."""
    return np.zeros(((problem_days + 1) * DAY // QUARTER, activities), dtype=np.int64)
