"""Prices rosters of quarter hours."""

from __future__ import annotations

from typing import Final

import numpy as np

from services.staffing.roster.cover import MISSING, Array, Counts, Cover
from services.staffing.roster.errors import ImpossibleError
from services.staffing.roster.problem import Priced, Problem, Roster
from services.staffing.roster.quarters import kernel
from services.staffing.roster.quarters.rules import DAY, OPENING, SHORTEST, STARTS, STEP_MINUTES, Floor, kinds

AT_ONCE: Final = 6
"""Rosters returned for a kind: the best of each number of steps, the best numbers first."""


class QuarterPricer:
    """Best rosters of each kind; a kind is a pair of least and most steps. One table serves every kind."""

    def __init__(self, floor: Floor, kinds: list[tuple[int, int]]) -> None:
        self._kinds = kinds
        self._shape = (floor.days * DAY, floor.tasks)
        horizon = self._shape[0]
        # midnight counts for the day that it begins
        clock = sorted({start % DAY for start in STARTS})
        days = [
            [step for at in clock if 0 <= (step := day * DAY + at - OPENING) <= horizon - SHORTEST]
            for day in range(floor.days + 1)
        ]
        self._starts = np.array([step for day in days for step in day])
        self._first_of_day = np.cumsum([0, *(len(day) for day in days)])
        self._most = max(most for _, most in kinds)
        self._tables: tuple[Array, tuple[np.ndarray, ...]] | None = None

    def price(self, kind: int, prices: Array) -> Priced:
        """See Pricer."""
        total, found, free, begin = self._table(prices)
        least, most = self._kinds[kind]
        values = free[0, 0, 0, least : most + 1]
        if values.min() >= kernel.NEVER:
            minutes = f"{least * STEP_MINUTES} to {most * STEP_MINUTES} minutes"
            raise ImpossibleError(
                f"somebody with {minutes}", [f"{minutes} in all", "shifts of 6 to 10 hours, one a day"]
            )
        rosters = []
        for steps in least + np.argsort(values, kind="stable")[:AT_ONCE]:
            if free[0, 0, 0, steps] < kernel.NEVER:
                plan = kernel.trace(free, begin, found, self._starts, self._first_of_day, total, steps)
                worked = np.flatnonzero(plan >= 0)
                rosters.append(Roster(kind, 0.0, worked * self._shape[1] + plan[worked]))
        return Priced(float(values.min()), rosters)

    def roster(self, kind: int, cells: Counts) -> Roster | None:
        """See Pricer."""
        least, most = self._kinds[kind]
        if not least <= len(cells) <= most:
            return None
        prices = np.ones(self._shape).reshape(-1)
        prices[cells] = -1.0
        free = self._table(prices)[2]
        if free[0, 0, 0, len(cells)] > -len(cells):
            return None
        return Roster(kind, 0.0, cells)

    def _table(self, prices: Array) -> tuple[np.ndarray, ...]:
        if self._tables is None or not np.array_equal(self._tables[0], prices):
            total = kernel.sums(prices.reshape(self._shape))
            found = kernel.shifts(total, self._starts)
            free, begin = kernel.completions(found, self._starts, self._first_of_day, self._most)
            self._tables = prices.copy(), (total, found, free, begin)
        return self._tables[1]


def problem(floor: Floor) -> Problem:
    """The floor as the search sees it."""
    hours = sorted({(one.least, one.most) for one in floor.people})
    least, most = floor.least.reshape(-1), floor.most.reshape(-1)
    cover = Cover(least, most, np.full(len(least), MISSING), np.ones(len(least)), squared=True, hard=True)
    return Problem(kinds(floor), floor.days * DAY, floor.tasks, cover, QuarterPricer(floor, hours))
