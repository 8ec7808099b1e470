"""The best roster of one person as a shortest path over stretches of work, compiled.

A roster is stretches of consecutive working days with enough days off between them. The path runs backwards over days
and carries what the rules count: weekends, load (minutes in the largest unit that divides every shift) and, where their
limit binds, shifts of single kinds. Stretches come from a path of their own, over the days of a stretch.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from services.staffing.roster.cover import Array, Counts

Flags: TypeAlias = NDArray[np.bool_]

END = 1e18
"""Cost of what is not allowed: finite, so that sums of it stay numbers."""
NEVER = END / 2
"""From here on a sum has something in it that is not allowed, whatever prices take off."""


@njit(cache=True)
def stretches(start, cost, follows, extra, steps, room, longest, extras):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Least cost of a stretch from `start`, by length - 1, last shift, load above the least, and counters' state."""
    days, shifts = cost.shape
    states = room.shape[0]
    found = np.full((longest, shifts, extras, states), END)
    for shift in range(shifts):
        if cost[start, shift] < NEVER and room[0, shift]:
            found[0, shift, extra[shift], steps[shift]] = cost[start, shift]
    for length in range(1, min(longest, days - start)):
        day = start + length
        for shift in range(shifts):
            if cost[day, shift] >= NEVER:
                continue
            for before in range(shifts):
                if not follows[before, shift]:
                    continue
                for load in range(extras - extra[shift]):
                    for state in range(states):
                        value = found[length - 1, before, load, state]
                        if value >= NEVER or not room[state, shift]:
                            continue
                        value += cost[day, shift]
                        found[length, shift, load + extra[shift], state + steps[shift]] = min(
                            found[length, shift, load + extra[shift], state + steps[shift]], value
                        )
    return found


@njit(cache=True)
def best_stretches(cost, follows, extra, steps, room, longest, extras):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The best stretches by first day, length - 1, load above the least and counters' state."""
    days, shifts = cost.shape
    best = np.full((days, longest, extras, room.shape[0]), END)
    for start in range(days):
        found = stretches(start, cost, follows, extra, steps, room, longest, extras)
        for length in range(longest):
            for shift in range(shifts):
                for load in range(extras):
                    for state in range(room.shape[0]):
                        value = found[length, shift, load, state]
                        best[start, length, load, state] = min(best[start, length, load, state], value)
    return best


@njit(cache=True)
def touched(start, length):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Weekends that a stretch works in; day 0 is a Monday."""
    weekends = 0
    for day in range(start, start + length):
        if day % 7 == 5 or (day % 7 == 6 and day == start):
            weekends += 1
    return weekends


@njit(cache=True)
def completions(best, fits, sizes, heaviest, rules):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Least cost from a day on which work may begin, by day, weekends, counters' state and load used before.

    `sizes` are the shifts that a state has counted, `heaviest` the largest load of a shift: what a roster cannot have
    used by a day is left out.

    `rules`: least and most load, least load of a shift, most weekends, least days on, least days off.
    """
    least_load, most_load, unit, weekends, least_on, least_off = rules
    days, longest, extras, states = best.shape
    table = np.full((days + 1, weekends + 1, states, most_load + 1), END)
    table[days, :, :, least_load:] = 0.0
    for day in range(days - 1, -1, -1):
        table[day] = table[day + 1]
        for length in range(1, min(longest, days - day) + 1):
            end = day + length
            if length < least_on and day > 0 and end < days:
                continue
            free = min(days, end + least_off)
            more = touched(day, length)
            for load in range(extras):
                for state in range(states):
                    value = best[day, length - 1, load, state]
                    if value >= NEVER:
                        continue
                    add = length * unit + load
                    for week in range(weekends + 1 - more):
                        for before in range(states):
                            if not fits[before, state] or sizes[before] > day:
                                continue
                            here = table[day, week, before]
                            there = table[free, week + more, before + state]
                            for used in range(sizes[before] * unit, min(day * heaviest, most_load - add) + 1):
                                here[used] = min(here[used], value + there[used + add])
    return table


@njit(cache=True)
def trace(table, best, cost, follows, extra, steps, room, fits, rules):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The shift of each day on a path of least cost, -1 for a day off."""
    _least_load, most_load, unit, weekends, least_on, least_off = rules
    days, longest, extras, states = best.shape
    plan = np.full(days, -1)
    day, week, before, used = 0, 0, 0, 0
    while day < days:
        chosen, chosen_value = (0, 0, 0), table[day + 1, week, before, used]
        for length in range(1, min(longest, days - day) + 1):
            end = day + length
            more = touched(day, length)
            if (length < least_on and day > 0 and end < days) or week + more > weekends:
                continue
            for load in range(extras):
                add = length * unit + load
                if used + add > most_load:
                    continue
                for state in range(states):
                    if not fits[before, state]:
                        continue
                    value = best[day, length - 1, load, state]
                    value += table[min(days, end + least_off), week + more, before + state, used + add]
                    if value < chosen_value:
                        chosen, chosen_value = (length, load, state), value
        length, load, state = chosen
        if length == 0:
            day += 1
            continue
        fill(plan, day, length, load, state, cost, follows, extra, steps, room, longest, extras)
        used += length * unit + load
        week += touched(day, length)
        before += state
        day = min(days, day + length + least_off)
    return plan


@njit(cache=True)
def fill(plan, day, length, load, state, cost, follows, extra, steps, room, longest, extras):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the shifts of the best stretch of this first day, length, load and state."""
    found = stretches(day, cost, follows, extra, steps, room, longest, extras)
    after = -1
    for back in range(length - 1, -1, -1):
        chosen, least = -1, END
        for shift in range(cost.shape[1]):
            if (after < 0 or follows[shift, after]) and found[back, shift, load, state] < least:
                chosen, least = shift, found[back, shift, load, state]
        plan[day + back] = chosen
        load -= extra[chosen]
        state -= steps[chosen]
        after = chosen


def counters(limits: Counts, shifts: Counts) -> tuple[Counts, Flags, Flags, Counts]:
    """States that count the given shifts up to their limits, as one mixed-radix number.

    Returns the step of each shift, whether a shift still has room in a state, whether a stretch's state fits on top of
    another, and the shifts that each state has counted.
    """
    steps = np.zeros(len(limits), dtype=np.int64)
    digits = np.zeros((1, 0), dtype=np.int64)
    states = 1
    for shift in shifts:
        steps[shift] = states
        size = int(limits[shift]) + 1
        digits = np.column_stack([np.tile(digits, (size, 1)), np.repeat(np.arange(size), states)])
        states *= size
    top = limits[shifts]
    room: Flags = np.ones((states, len(limits)), dtype=np.bool_)
    for position, shift in enumerate(shifts):
        room[:, shift] = digits[:, position] < top[position]
    fits: Flags = np.all(digits[:, None, :] + digits[None, :, :] <= top, axis=2)
    sizes: Counts = digits.sum(axis=1)
    return steps, room, fits, sizes


def least_cost(
    cost: Array,
    follows: Flags,
    extra: Counts,
    limits: Counts,
    counted: Counts,
    longest: int,
    rules: tuple[int, int, int, int, int, int],
) -> tuple[float, Counts]:
    """Least cost and a plan of it; `counted` are the shifts whose limits the path keeps."""
    steps, room, fits, sizes = counters(limits, counted)
    extras = longest * int(extra.max()) + 1
    best = best_stretches(cost, follows, extra, steps, room, longest, extras)
    table = completions(best, fits, sizes, rules[2] + int(extra.max()), rules)
    value = float(table[0, 0, 0, 0])
    if value >= NEVER:
        return value, np.full(len(cost), -1)
    return value, trace(table, best, cost, follows, extra, steps, room, fits, rules)
