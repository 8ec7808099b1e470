"""What a date is for a queue: open or closed, its class, and where it stands in the month and after closed days."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.policy.calendar import DayKind
from services.staffing.domain.forecast.history import Array

EXCHANGED: Final = 7
"""Class of a weekend day that is worked in exchange; 0 to 6 are the weekdays from Monday."""
HOLIDAY: Final = 8
"""Class of a public holiday on which the queue is open all the same."""
EFFECTS: Final = (
    "first after a holiday",
    "second after a holiday",
    "last before a holiday",
    "month begins",
    "month ends",
)
_SEARCH_DAYS: Final = 400
_RECENT_DAYS: Final = 56

Kinds = Callable[[date], DayKind]


def ordinary(_: date) -> DayKind:
    """No holiday anywhere."""
    return DayKind.ORDINARY


@dataclass(frozen=True, slots=True)
class _Gap:
    """The open day at the other end, and whether the closed days between are a holiday's or the week's."""

    day: date
    holiday: bool
    weekend: bool


@dataclass(frozen=True, slots=True)
class OpenDays:
    """Which dates a queue works, learnt from the days that it worked."""

    kinds: Kinds
    weekdays: frozenset[int]
    on_holidays: bool
    on_exchanged: bool
    known: frozenset[date] = field(repr=False)

    @classmethod
    def learn(cls, days: Sequence[date], kinds: Kinds = ordinary) -> OpenDays:
        """A weekday is open when at least half of its dates of the last eight weeks were; holidays, of all."""
        known, last = frozenset(days), days[-1]
        recent = list(_dates(max(days[0], last - timedelta(days=_RECENT_DAYS - 1)), last))
        plain = [day for day in recent if kinds(day) is DayKind.ORDINARY]
        weekdays = frozenset(n for n in range(7) if _mostly(known, [day for day in plain if day.weekday() == n]))
        usual = [day for day in _dates(days[0], last) if day.weekday() in weekdays]
        special = [day for day in _dates(days[0], last) if kinds(day) is DayKind.EXCHANGED]
        return cls(
            kinds=kinds,
            weekdays=weekdays,
            on_holidays=_mostly(known, [day for day in usual if kinds(day) is DayKind.HOLIDAY]),
            on_exchanged=not special or _mostly(known, special),
            known=known,
        )

    def is_open(self, day: date) -> bool:
        """Whether the queue worked, or will work, on a date."""
        if day in self.known:
            return True
        kind = self.kinds(day)
        if kind is DayKind.HOLIDAY and not self.on_holidays:
            return False
        if kind is DayKind.EXCHANGED:
            return self.on_exchanged
        return day.weekday() in self.weekdays

    def following(self, day: date, count: int) -> tuple[date, ...]:
        """The next `count` open days after a date."""
        found = (
            one for one in _dates(day + timedelta(days=1), day + timedelta(days=_SEARCH_DAYS)) if self.is_open(one)
        )
        return tuple(one for one, _ in zip(found, range(count), strict=False))

    def kind_class(self, day: date) -> int:
        """Class of an open day: EXCHANGED, HOLIDAY or a weekday.

        The first two days after a holiday that prolongs a weekend are to the week what its first two days usually are:
        the Tuesday after a closed Monday is busy as a Monday.
        """
        kind = self.kinds(day)
        if kind is not DayKind.ORDINARY:
            return EXCHANGED if kind is DayKind.EXCHANGED else HOLIDAY
        before = self._gap(day, -1)
        for position, gap in enumerate((before, self._gap(before.day, -1))):
            if gap.holiday:
                first = self._week_begins(position)
                return first if gap.weekend and first < day.weekday() else day.weekday()
        return day.weekday()

    def effects(self, day: date) -> tuple[bool, ...]:
        """Which of EFFECTS a date has."""
        before, following = self._gap(day, -1), self._gap(day, +1)
        second = self._gap(before.day, -1).holiday and not before.holiday
        begins, ends = before.day.month != day.month, following.day.month != day.month
        return before.holiday, second, following.holiday, begins, ends

    def _gap(self, day: date, step: int) -> _Gap:
        """What lies between an open day and the one before (step -1) or after it (+1)."""
        holiday = weekend = False
        for _ in range(_SEARCH_DAYS):
            day += timedelta(days=step)
            if self.is_open(day):
                break
            usual = day.weekday() in self.weekdays
            holiday |= usual and self.kinds(day) is DayKind.HOLIDAY
            weekend |= not usual
        return _Gap(day, holiday, weekend)

    def _week_begins(self, position: int) -> int:
        """The weekday that usually is the first (0) or second (1) open one after the weekly closing."""
        usual = [n for n in range(7) if n in self.weekdays]
        first = next((n for n in usual if (n - 1) % 7 not in self.weekdays), 0)
        return (first + position) % 7


@dataclass(frozen=True, slots=True)
class Facts:
    """Regressors of a row of days."""

    order: Array
    """Number of the open day: the distance between two days is counted in open days."""
    classes: NDArray[np.int_]
    month: Array
    """Position in the month, 0 to 1."""
    effects: Array
    """Days × EFFECTS, 0 or 1."""

    def __getitem__(self, rows: slice | NDArray[np.int_]) -> Facts:
        return Facts(self.order[rows], self.classes[rows], self.month[rows], self.effects[rows])


def facts(days: Sequence[date], open_days: OpenDays) -> Facts:
    """The regressors of consecutive open days, oldest first."""
    lengths = [calendar.monthrange(day.year, day.month)[1] for day in days]
    return Facts(
        order=np.arange(len(days), dtype=float),
        classes=np.array([open_days.kind_class(day) for day in days]),
        month=np.array([(day.day - 0.5) / length for day, length in zip(days, lengths, strict=True)]),
        effects=np.array([open_days.effects(day) for day in days], dtype=float),
    )


def _dates(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _mostly(known: frozenset[date], days: Sequence[date]) -> bool:
    return bool(days) and sum(day in known for day in days) * 2 >= len(days)
