"""Shifts of a chosen start, length and activities; times in steps of 15 minutes from 06:00 of the first day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.staffing.roster.cover import Counts

STEP_MINUTES: Final = 15
DAY: Final = 24 * 60 // STEP_MINUTES
OPENING: Final = 6 * 60 // STEP_MINUTES
"""Steps from midnight to the first step of the horizon."""
SHORTEST, LONGEST = 24, 40
"""A shift lasts 6 to 10 hours."""
STRETCH: Final = 4
"""A task is worked at least an hour at a stretch."""
REST: Final = 56
"""14 hours between shifts."""
DAYS_ON: Final = 5
"""Working days in a row; a shift belongs to the calendar day of its start, which has one shift at most."""
STARTS: Final = tuple(step for first in (6, 14, 20) for step in range(first * 4, first * 4 + 17))
"""Steps after midnight at which a shift may start; the last one is the next day's midnight."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Steps that a person works in all, both limits included."""

    name: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Floor:
    """A horizon of `days`, 06:00 to 06:00, with `tasks`; `least` and `most` people by step and task."""

    days: int
    tasks: int
    people: Sequence[Hours]
    least: Counts
    most: Counts


def kinds(floor: Floor) -> list[int]:
    """The kind of each person: those with equal hours are alike."""
    hours = sorted({(one.least, one.most) for one in floor.people})
    return [hours.index((one.least, one.most)) for one in floor.people]
