"""Shifts, contracts and wishes of a problem with at most one shift a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.staffing.roster.cover import Array, Counts


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift: `minutes` long, never on the day before one of `not_before`."""

    name: str
    minutes: int
    not_before: frozenset[str]


@dataclass(frozen=True, slots=True)
class Contract:
    """Hard rules of one person; `most` by shift, `off` the days that must be free."""

    name: str
    most: Mapping[str, int]
    most_minutes: int
    least_minutes: int
    most_days_on: int
    least_days_on: int
    least_days_off: int
    most_weekends: int
    off: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days from 0, a Monday; `wishes` by person, day and shift: the cost of working it, `dues` the cost whoever works.

    A wished shift costs its weight when it is not worked: the weight is due, and working the shift takes it off.
    """

    days: int
    shifts: Sequence[Shift]
    contracts: Sequence[Contract]
    wishes: Array
    dues: Array
    need: Counts
    under: Array
    over: Array

    def follows(self) -> np.ndarray:
        """Whether the second shift may be worked on the day after the first, by number."""
        return np.array([[after.name not in before.not_before for after in self.shifts] for before in self.shifts])
