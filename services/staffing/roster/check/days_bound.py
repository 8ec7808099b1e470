"""The lower bound that prices of cover prove, by a dynamic programme over days of its own.

For any prices the objective is at least the sum, over people, of the least cost + prices of a roster, and, over cells,
of the least cost of cover - price × people (Lagrangian duality; Geoffrion 1974). Rules that a programme leaves out make
the bound smaller, never wrong: limits of single shifts are counted for the shifts that the certificate names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.staffing.roster.check.days import Instance, Person

Array: TypeAlias = NDArray[np.float64]
Prices: TypeAlias = Mapping[tuple[int, str], float]


def bound(instance: Instance, prices: Prices, counted: Mapping[str, Sequence[str]]) -> float:
    """The bound that `prices` by day and shift prove."""
    cells = {(day, shift): prices.get((day, shift), 0.0) for day in range(instance.days) for shift in instance.minutes}
    total = 0.0
    for cell, price in cells.items():
        need, under, over = instance.cover.get(cell, (0, 0, 0))
        # a convex cost minus a line is least at one of its corners; everybody together is the last one
        corners = (0, need, len(instance.people))
        total += min(under * max(0, need - u) + over * max(0, u - need) - price * u for u in corners)
    return total + sum(_least(instance, name, cells, counted.get(name, ())) for name in instance.people)


def _least(instance: Instance, name: str, prices: Prices, counted: Sequence[str]) -> float:
    """The least of requests + prices over the rosters of one person.

    Arrays by minutes, weekends and counted shifts so far: `off[n]` with n days off behind (the last n means enough),
    `on[shift][n]` with n days on behind, today's shift included.
    """
    person = instance.people[name]
    unit = int(np.gcd.reduce(list(instance.minutes.values())))
    limits = [min(person.most.get(shift, instance.days), instance.days) for shift in counted]
    weekends = min(person.most_weekends, -(-instance.days // 7))
    shape: tuple[int, ...] = (
        min(person.most_minutes, instance.days * max(instance.minutes.values())) // unit + 1,
        weekends + 1,
    )
    shape += tuple(limit + 1 for limit in limits)
    empty = np.full(shape, np.inf)
    off = [empty.copy() for _ in range(person.least_off + 1)]
    off[-1][(0,) * len(shape)] = 0.0
    on = {shift: [empty] * (person.most_on + 1) for shift in instance.minutes}
    for day in range(instance.days):
        saved = [_least_of([runs[length] for runs in on.values()]) for length in range(person.most_on + 1)]
        may_end = [run for length, run in enumerate(saved) if length and (length >= person.least_on or length == day)]
        next_off = [empty, _least_of(may_end or [empty]), *off[1:-1]]
        next_off[-1] = np.minimum(next_off[-1], off[-1])
        next_on = {}
        for shift in instance.minutes:
            cost = _cost(instance, name, day, shift) + prices[day, shift]
            before = [before for before in on if shift not in instance.banned[before]]
            behind = [
                off[-1],
                *(_least_of([on[one][n] for one in before] or [empty]) for n in range(1, person.most_on)),
            ]
            steps = [instance.minutes[shift] // unit, 0, *(int(one == shift) for one in counted)]
            # a weekend counts once: on Sunday only for those who had Saturday off
            next_on[shift] = [empty] + [
                _moved(run, [steps[0], int(day % 7 == 5 or (day % 7 == 6 and n == 0)), *steps[2:]]) + cost
                for n, run in enumerate(behind)
            ]
        off, on = next_off, next_on
    last = _least_of([*off, *(run for runs in on.values() for run in runs)])
    dues = sum(weight for (who, _, _), weight in instance.on.items() if who == name)
    return dues + float(last[-(-person.least_minutes // unit) :].min(initial=np.inf))


def _cost(instance: Instance, name: str, day: int, shift: str) -> float:
    person: Person = instance.people[name]
    if day in instance.free[name] or person.most.get(shift, 1) == 0:
        return np.inf
    return instance.off.get((name, day, shift), 0) - instance.on.get((name, day, shift), 0)


def _least_of(arrays: Sequence[Array]) -> Array:
    found = arrays[0]
    for one in arrays[1:]:
        found = np.minimum(found, one)
    return found


def _moved(array: Array, steps: Sequence[int]) -> Array:
    """The array with each index raised by `steps`; what leaves the range is not allowed."""
    moved = np.full(array.shape, np.inf)
    if all(step < size for step, size in zip(steps, array.shape, strict=True)):
        to = tuple(slice(step, None) for step in steps)
        origin = tuple(slice(None, size - step) for step, size in zip(steps, array.shape, strict=True))
        moved[to] = array[origin]
    return moved
