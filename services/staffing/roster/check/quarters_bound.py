"""The lower bound that prices of cover prove for rosters by quarter hours, by a dynamic programme of its own.

The same duality as in `days_bound`. A shift is followed quarter hour by quarter hour through (task, quarters at it);
rosters go forwards over days, with the quarters worked so far.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.staffing.roster.check.quarters import MIDNIGHT, OPENS, QUARTER, WINDOWS, Instance

Array: TypeAlias = NDArray[np.float64]
HOUR, SHORTEST, LONGEST, REST, DAYS_ON = 4, 24, 40, 56, 5
DAY = MIDNIGHT // QUARTER


def bound(instance: Instance, prices: Array) -> float:
    """The bound that `prices` by quarter hour of the horizon and task prove; shape (days × 96, tasks)."""
    least, most = (np.zeros(prices.shape) for _ in range(2))
    for (at, task), (low, high) in instance.cover.items():
        least[(at - OPENS) // QUARTER, task - 1], most[(at - OPENS) // QUARTER, task - 1] = low, high
    # surplus s beyond `most` costs s²: the least of s² - price × s lies at the whole number beside price / 2
    surplus = np.clip(np.round(prices / 2), 0, max(len(instance.people), 1))
    cover = np.minimum(-prices * least, np.minimum(-prices * most, surplus**2 - prices * (most + surplus))).sum()
    by_load = _rosters(instance, prices)
    total = float(cover)
    for low, high in instance.people.values():
        total += float(by_load[-(-low // QUARTER) : high // QUARTER + 1].min(initial=np.inf))
    return total


def _shift(prices: Array) -> Array:
    """Least price of a shift that begins with the first row, by length; rows are quarter hours."""
    tasks = prices.shape[1]
    value = np.full(len(prices) + 1, np.inf)
    state = np.full((HOUR, tasks), np.inf)
    state[0] = prices[0]
    for length in range(1, len(prices) + 1):
        value[length] = state[HOUR - 1].min()
        if length == len(prices):
            break
        further = np.full((HOUR, tasks), np.inf)
        further[0] = state[HOUR - 1].min()
        further[1:] = state[:-1]
        further[HOUR - 1] = np.minimum(further[HOUR - 1], state[HOUR - 1])
        state = further + prices[length]
    return value


def _rosters(instance: Instance, prices: Array) -> Array:
    """Least price of a roster by quarters worked in all."""
    horizon = len(prices)
    top = max(high for _, high in instance.people.values()) // QUARTER + 1
    # idle: rested and without a working day behind; busy[run, quarters until rested, worked]
    idle = np.full(top, np.inf)
    idle[0] = 0.0
    busy = np.full((DAYS_ON + 1, DAY + 1, top), np.inf)
    starts = sorted({start % MIDNIGHT for first, last in WINDOWS for start in range(first, last + 1, QUARTER)})
    for day in range(instance.days + 1):
        rested = np.minimum.accumulate(busy, axis=1)
        next_busy = np.full(busy.shape, np.inf)
        for start in starts:
            clock = start // QUARTER
            at = day * DAY + clock - OPENS // QUARTER
            if not 0 <= at <= horizon - SHORTEST:
                continue
            value = _shift(prices[at : at + LONGEST])
            runs = np.vstack([idle, rested[1:DAYS_ON, clock]])
            for length in range(SHORTEST, min(len(value), top)):
                ready = max(0, clock + length + REST - DAY)
                place = next_busy[1:, ready, length:]
                np.minimum(place, runs[:, : top - length] + value[length], out=place)
        idle = np.minimum(idle, busy.min(axis=(0, 1)))
        busy = next_busy
    found: Array = np.minimum(idle, busy.min(axis=(0, 1)))
    return found
