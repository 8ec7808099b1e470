"""Prices one person's rosters under the rules of a site."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np

from services.staffing.roster.cover import Array, Counts, Cover
from services.staffing.roster.errors import ImpossibleError
from services.staffing.roster.problem import Priced, Problem, Roster
from services.staffing.roster.site.conflict import conflict
from services.staffing.roster.site.kernel import END, NEVER, completions, trace
from services.staffing.roster.site.rules import DAY, QUARTER, SUPERVISING, Person, Week, due

LURE: Final = 1e7
"""Far above every weight, far below what is not allowed."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """People grouped by likeness: each kind's first person, and the people of each kind by number."""

    first: Sequence[Person]
    members: Sequence[Sequence[Person]]

    @classmethod
    def of(cls, people: Sequence[Person]) -> Kinds:
        """Group people."""
        found: defaultdict[tuple[object, ...], list[Person]] = defaultdict(list)
        for one in people:
            found[one.likeness].append(one)
        members = list(found.values())
        return cls([one[0] for one in members], members)


@dataclass(frozen=True, slots=True)
class Frees:
    """Every length of free time at a midnight: `minutes`, and the number that a day off or a shift leads to."""

    minutes: Counts
    after_off: Counts
    after_work: Counts

    @classmethod
    def of(cls, week: Week) -> Frees:
        """All that can occur; beyond what any rule asks for they are one."""
        cap = max(week.limits.weekly_rest, week.limits.between)
        known = {DAY - one.end for one in week.shifts} | {min(one.free, cap) for one in week.people}
        grown: set[int] = set()
        while known - grown:
            grown |= known
            known = {min(one + DAY, cap) for one in known}
        minutes = sorted(grown)
        number = {one: position for position, one in enumerate(minutes)}
        return cls(
            np.array(minutes),
            np.array([number[min(one + DAY, cap)] for one in minutes]),
            np.array([number[DAY - one.end] for one in week.shifts]),
        )

    def first(self, person: Person, cap: int) -> int:
        """The number of a person's free time before the first day."""
        return int(np.searchsorted(self.minutes, min(person.free, cap)))


class SitePricer:
    """Best rosters of each kind of people."""

    def __init__(self, week: Week, kinds: Kinds) -> None:
        self._week, self._kinds, self._frees = week, kinds, Frees.of(week)
        self._starts = np.array([one.start for one in week.shifts])
        self._unit = reduce(math.gcd, [one.paid for one in week.shifts])
        self._paid = np.array([one.paid // self._unit for one in week.shifts])
        days, shifts = range(week.days), range(len(week.shifts))
        self._unsocial = np.array([[int(week.unsocial(day, one)) for one in shifts] for day in days])
        self._own = [own(week, one) for one in kinds.first]

    def price(self, kind: int, prices: Array) -> Priced:
        """See Pricer."""
        person = self._kinds.first[kind]
        table = prices.reshape(self._week.slots, -1)
        effective, cells = self._effective(person, table)
        value, plan = self._least(person, kind, effective)
        if value >= NEVER:
            raise ImpossibleError(person.id, conflict(self._week, person, possible))
        chosen = np.concatenate(
            [cells(day, int(shift)) for day, shift in enumerate(plan) if shift >= 0] or [np.zeros(0, dtype=np.int64)]
        )
        return Priced(value, [Roster(kind, float(round(value - float(prices[chosen].sum()))), chosen)])

    def roster(self, kind: int, cells: Counts) -> Roster | None:
        """See Pricer."""
        lure = np.full(self._week.slots * len(self._week.activities), LURE)
        lure[cells] = -LURE
        try:
            found = self.price(kind, lure).rosters[0]
        except ImpossibleError:
            return None
        return found if np.array_equal(found.cells, cells) else None

    def _effective(self, person: Person, table: Array):  # type: ignore[no-untyped-def]
        """Least price of each shift on each day over activities and breaks, and the cells that have it."""
        week = self._week
        sums = np.vstack([np.zeros((1, table.shape[1])), np.cumsum(table, axis=0)])[:, list(person.activities)]
        first = np.arange(week.days) * (DAY // QUARTER)
        least = np.empty((week.days, len(week.shifts)))
        picks = np.empty((week.days, len(week.shifts), 2), dtype=np.int64)
        for number, shift in enumerate(week.shifts):
            begin, length, rest = first + shift.start // QUARTER, shift.minutes // QUARTER, shift.rest // QUARTER
            value = sums[begin + length] - sums[begin]
            if rest:
                offsets = np.arange(shift.lead // QUARTER, length - rest - shift.lead // QUARTER + 1)
                at = begin[:, None] + offsets
                pause = sums[at + rest] - sums[at]
                dearest = pause.argmax(axis=1)
                value -= np.take_along_axis(pause, dearest[:, None, :], axis=1)[:, 0]
            activity = value.argmin(axis=1)
            days = np.arange(week.days)
            least[:, number] = value[days, activity]
            picks[:, number, 0] = activity
            picks[:, number, 1] = offsets[dearest[days, activity]] if rest else length

        def cells(day: int, number: int) -> Counts:
            shift = week.shifts[number]
            activity, at = picks[day, number]
            slots = np.arange(shift.minutes // QUARTER)
            slots = slots[(slots < at) | (slots >= at + shift.rest // QUARTER)]
            begin = day * (DAY // QUARTER) + shift.start // QUARTER
            found: Counts = (begin + slots) * table.shape[1] + person.activities[activity]
            return found

        return least, cells

    def _least(self, person: Person, kind: int, effective: Array) -> tuple[float, Counts]:
        week, frees, weights = self._week, self._frees, self._week.weights
        cost, off = self._own[kind]
        units = np.arange(min(person.most // self._unit, 7 * int(self._paid.max())) + 1) * self._unit // QUARTER
        short = np.array([np.maximum(due(person, one) // QUARTER - units, 0) for one in range(week.days // 7)])
        hard = np.arange(8 if weights.fairness else 1)
        limits = week.limits
        rules = (limits.weekly_rest, limits.between, limits.days_in_row)
        run = min(person.run, limits.days_in_row)
        fixed = (
            cost + effective,
            off,
            self._unsocial,
            self._starts,
            self._paid,
            frees.minutes,
            frees.after_off,
            frees.after_work,
            (short * weights.contract).astype(float),
            (weights.fairness * (hard**2 + 2 * person.past * hard)).astype(float),
            rules,
        )
        table = completions(*fixed)
        first = frees.first(person, max(limits.weekly_rest, limits.between))
        value = float(table[0, first, run, 0, 0, 0])
        if value >= NEVER:
            return value, np.full(week.days, -1)
        return value, trace(table, first, run, *fixed)


def own(week: Week, person: Person) -> tuple[Array, Array]:
    """What a person's shifts cost by day and shift, and what a day off costs; END where it is not allowed."""
    cost, off = np.zeros((week.days, len(week.shifts))), np.zeros(week.days)
    for wish in person.wishes:
        if wish.shift == -1:
            cost[wish.day] += wish.weight
            continue
        off[wish.day] += wish.weight
        if wish.shift is not None:
            cost[wish.day] += wish.weight
            cost[wish.day, wish.shift] -= wish.weight
    for day, shift in person.published.items():
        cost[day] += week.weights.changed
        if shift >= 0:
            off[day] += week.weights.changed
            cost[day, shift] -= week.weights.changed
    for day, shift in person.fixed.items():
        kept = cost[day, shift] if shift >= 0 else 0.0
        cost[day] = END
        if shift >= 0:
            off[day], cost[day, shift] = END, kept
    for day in person.leave:
        cost[day] = END
    return cost, off


def possible(week: Week, person: Person) -> bool:
    """Whether any roster keeps a person's rules."""
    alone = replace(week, people=[person])
    pricer = SitePricer(alone, Kinds.of([person]))
    value, _plan = pricer._least(person, 0, np.zeros((week.days, len(week.shifts))))
    return value < NEVER


def problem(week: Week) -> Problem:
    """The weeks as the search sees them."""
    kinds = Kinds.of(week.people)
    numbers = [number for number, members in enumerate(kinds.members) for _ in members]
    need = week.need.reshape(-1)
    under, over = (np.zeros(need.shape) for _ in range(2))
    weights, activities = week.weights, len(week.activities)
    for position, name in enumerate(week.activities):
        under[position::activities] = weights.unsupervised if name == SUPERVISING else weights.missing
        over[position::activities] = 0 if name == SUPERVISING else weights.surplus
    cover = Cover(need, need, under, over)
    return Problem(numbers, week.slots, activities, cover, SitePricer(week, kinds), crowded=True)
