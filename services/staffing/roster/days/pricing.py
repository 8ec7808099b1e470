"""Prices one person's rosters under the rules of a calendar."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from typing import Final

import numpy as np

from services.staffing.roster.cover import Array, Counts, Cover
from services.staffing.roster.days.conflict import conflict
from services.staffing.roster.days.kernel import END, NEVER, least_cost, touched
from services.staffing.roster.days.rules import Calendar, Contract
from services.staffing.roster.errors import ImpossibleError
from services.staffing.roster.problem import Priced, Problem, Roster

LURE: Final = 1e7
"""Far above every weight, far below what is not allowed."""


class DayPricer:
    """Best rosters of each person.

    Limits of single shifts are carried in the path only for the shifts whose limit a best path breaks otherwise
    (decremental state space relaxation, Righini & Salani 2008): the others do not bind, and the result is exact.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._follows = calendar.follows()
        minutes = np.array([one.minutes for one in calendar.shifts])
        self._unit = reduce(math.gcd, [int(one) for one in minutes])
        loads = minutes // self._unit
        self._load, self._extra = int(loads.min()), loads - loads.min()
        self._limits = np.array([_limits(calendar, one) for one in calendar.contracts])
        self._counted: list[list[int]] = [[] for _ in calendar.contracts]
        self._own = calendar.wishes.copy()
        for person, contract in enumerate(calendar.contracts):
            self._own[person][:, self._limits[person] == 0] = END
            self._own[person][sorted(contract.off)] = END

    def price(self, kind: int, prices: Array) -> Priced:
        """See Pricer."""
        found = self._least(kind, prices)
        if found is None:
            contract = self._calendar.contracts[kind]
            raise ImpossibleError(contract.name, conflict(contract, self._calendar.days, self._possible))
        value, plan, _counted = found
        dues = float(self._calendar.dues[kind])
        days = np.flatnonzero(plan >= 0)
        cost = float(self._own[kind][days, plan[days]].sum()) + dues
        return Priced(value + dues, [Roster(kind, cost, days * len(self._extra) + plan[days])])

    def _least(self, kind: int, prices: Array) -> tuple[float, Counts, list[int]] | None:
        """Least cost, its plan (the shift of each day, -1 for none) and the shifts counted; None where none fits."""
        contract, limits, counted = self._calendar.contracts[kind], self._limits[kind], list(self._counted[kind])
        cost = self._own[kind] + prices.reshape(self._own[kind].shape)
        longest = min(contract.most_days_on, self._calendar.days)
        while True:
            shifts = np.array(sorted(counted), dtype=np.int64)
            value, plan = least_cost(cost, self._follows, self._extra, limits, shifts, longest, self._rules(contract))
            if value >= NEVER:
                return None
            worked = np.bincount(plan[plan >= 0], minlength=len(limits))
            if (worked <= limits).all():
                # limits that do not bind now are left to the next breach
                self._counted[kind] = [shift for shift in counted if worked[shift] == limits[shift]]
                return value, plan, counted
            counted.extend(int(one) for one in np.flatnonzero(worked > limits))

    def _possible(self, contract: Contract) -> bool:
        """Whether any roster keeps a contract."""
        days, shifts = self._own[0].shape
        alone = replace(self._calendar, contracts=[contract], wishes=np.zeros((1, days, shifts)), dues=np.zeros(1))
        return DayPricer(alone)._least(0, np.zeros(days * shifts)) is not None

    def roster(self, kind: int, cells: Counts) -> Roster | None:
        """See Pricer."""
        # a price that nothing else can resist: the best roster is the given one, or the given one breaks a rule
        lure = np.full(self._own[kind].size, LURE)
        lure[cells] = -LURE
        found = self.price(kind, lure).rosters[0]
        return found if np.array_equal(found.cells, cells) else None

    def counted(self, prices: Array) -> dict[str, list[str]]:
        """The shifts whose limits the least costs at these prices depend on, by person."""
        names = [one.name for one in self._calendar.shifts]
        found = {one.name: self._least(kind, prices) for kind, one in enumerate(self._calendar.contracts)}
        return {name: [names[shift] for shift in sorted(one[2])] for name, one in found.items() if one and one[2]}

    def _rules(self, contract: Contract) -> tuple[int, int, int, int, int, int]:
        longest = self._calendar.days * int(self._load + self._extra.max())
        weekends = touched(0, self._calendar.days)
        return (
            -(-contract.least_minutes // self._unit),
            min(contract.most_minutes // self._unit, longest),
            self._load,
            min(contract.most_weekends, weekends),
            contract.least_days_on,
            contract.least_days_off,
        )


def _limits(calendar: Calendar, contract: Contract) -> list[int]:
    """Most shifts of each kind; a kind that the contract does not name has no limit."""
    return [min(contract.most.get(one.name, calendar.days), calendar.days) for one in calendar.shifts]


def problem(calendar: Calendar) -> Problem:
    """The calendar as the search sees it."""
    need = calendar.need.reshape(-1)
    cover = Cover(need, need, calendar.under.reshape(-1), calendar.over.reshape(-1))
    return Problem(range(len(calendar.contracts)), calendar.days, len(calendar.shifts), cover, DayPricer(calendar))
