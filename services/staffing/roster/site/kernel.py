"""The best roster of one person as a shortest path over days, compiled.

The state at the beginning of a day: free time behind (a number into the table of all that can occur), days worked in a
row, whether this week's rest is had, paid time and unsocial shifts of this week. The path runs backwards; the state
starts anew with each week but for the first two.
"""

from __future__ import annotations

import numpy as np
from numba import njit

END = 1e18
"""Cost of what is not allowed: finite, so that sums of it stay numbers."""
NEVER = END / 2
DAY = 24 * 60


@njit(cache=True)
def closed(free, rested, weekly_rest):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a week that ends with so much free time behind has had its rest."""
    return rested == 1 or min(free, 7 * DAY) >= weekly_rest


@njit(cache=True)
def completions(cost, off, unsocial, starts, paid, free, after_off, after_work, short, fair, rules):  # type: ignore[no-untyped-def]  # pragma: no cover  # noqa: PLR0912 - one loop, compiled
    """Least cost from a day on, by day, free time, days in a row, rested, paid units and unsocial shifts.

    `cost` of working a shift on a day, `off` of a free day, `short` by week and units, `fair` by unsocial shifts.
    `rules`: least free minutes in a week, between shifts, most days in a row.
    """
    weekly_rest, between, most_row = rules
    days, shifts = cost.shape
    frees, units, social = len(free), short.shape[1], len(fair)
    longest = paid.max()
    table = np.full((days + 1, frees, most_row + 1, 2, units, social), END)
    table[days, :, :, 0, 0, 0] = 0.0
    for day in range(days - 1, -1, -1):
        weekday, last = day % 7, day % 7 == 6
        ahead = table[day + 1]
        for f in range(frees):
            for run in range(most_row + 1):
                if run > 0 and free[f] >= DAY:
                    continue  # who worked yesterday has not been free for a day
                for rested in range(2):
                    for used in range(min(weekday * longest + 1, units)):
                        for hard in range(min(weekday, social - 1) + 1):
                            best = END
                            if off[day] < NEVER:
                                to = after_off[f]
                                if not last:
                                    best = off[day] + ahead[to, 0, rested, used, hard]
                                elif closed(free[to], rested, weekly_rest):
                                    best = off[day] + short[day // 7, used] + fair[hard] + ahead[to, 0, 0, 0, 0]
                            if run < most_row:
                                for shift in range(shifts):
                                    value = cost[day, shift]
                                    total = used + paid[shift]
                                    if value >= NEVER or total >= units or free[f] + starts[shift] < between:
                                        continue
                                    now = rested
                                    if min(free[f], weekday * DAY) + starts[shift] >= weekly_rest:
                                        now = 1
                                    harder = min(hard + unsocial[day, shift], social - 1)
                                    to = after_work[shift]
                                    if not last:
                                        value += ahead[to, run + 1, now, total, harder]
                                    elif closed(free[to], now, weekly_rest):
                                        value += short[day // 7, total] + fair[harder] + ahead[to, run + 1, 0, 0, 0]
                                    else:
                                        continue
                                    best = min(best, value)
                            table[day, f, run, rested, used, hard] = best
    return table


@njit(cache=True)
def trace(table, first, run, cost, off, unsocial, starts, paid, free, after_off, after_work, short, fair, rules):  # type: ignore[no-untyped-def]  # pragma: no cover  # noqa: PLR0912 - likewise
    """The shift of each day on a path of least cost, -1 for a day off."""
    weekly_rest, between, most_row = rules
    days, shifts = cost.shape
    units, social = short.shape[1], len(fair)
    plan = np.full(days, -1)
    f, rested, used, hard = first, 0, 0, 0
    for day in range(days):
        last = day % 7 == 6
        best, chosen = END, -1
        if off[day] < NEVER:
            to = after_off[f]
            if not last:
                best = off[day] + table[day + 1, to, 0, rested, used, hard]
            elif closed(free[to], rested, weekly_rest):
                best = off[day] + short[day // 7, used] + fair[hard] + table[day + 1, to, 0, 0, 0, 0]
        for shift in range(shifts):
            value, total = cost[day, shift], used + paid[shift]
            if run >= most_row or value >= NEVER or total >= units or free[f] + starts[shift] < between:
                continue
            now = 1 if min(free[f], (day % 7) * DAY) + starts[shift] >= weekly_rest else rested
            harder = min(hard + unsocial[day, shift], social - 1)
            to = after_work[shift]
            if not last:
                value += table[day + 1, to, run + 1, now, total, harder]
            elif closed(free[to], now, weekly_rest):
                value += short[day // 7, total] + fair[harder] + table[day + 1, to, run + 1, 0, 0, 0]
            else:
                continue
            if value < best:
                best, chosen = value, shift
        plan[day] = chosen
        if chosen < 0:
            f, run = after_off[f], 0
        else:
            if min(free[f], (day % 7) * DAY) + starts[chosen] >= weekly_rest:
                rested = 1
            used += paid[chosen]
            hard = min(hard + unsocial[day, chosen], social - 1)
            f, run = after_work[chosen], run + 1
        if last:
            rested, used, hard = 0, 0, 0
    return plan
