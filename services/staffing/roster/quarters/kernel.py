"""The best rosters by load as a shortest path over shifts, compiled.

People differ in their hours only, so that one table serves everybody: least cost by the steps that are worked in all.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from services.staffing.roster.quarters.rules import DAY, DAYS_ON, LONGEST, OPENING, REST, SHORTEST, STRETCH

END = 1e18
"""Cost of what is not allowed: finite, so that sums of it stay numbers."""
NEVER = END / 2
"""From here on a sum has something in it that is not allowed, whatever prices take off."""


@njit(cache=True)
def sums(prices):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Prices of a task up to a step, by task and step."""
    steps, tasks = prices.shape
    total = np.zeros((tasks, steps + 1))
    for task in range(tasks):
        for step in range(steps):
            total[task, step + 1] = total[task, step] + prices[step, task]
    return total


@njit(cache=True)
def division(total, start, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Least cost of the first n steps of a shift, tasks chosen best, by n; with the last task and its first step."""
    tasks = total.shape[0]
    cost = np.full(last + 1, END)
    task_of, begun = np.zeros(last + 1, np.int64), np.zeros(last + 1, np.int64)
    opened, opened_at = np.full(tasks, END), np.zeros(tasks, np.int64)
    cost[0] = 0.0
    for n in range(STRETCH, last + 1):
        first = n - STRETCH
        for task in range(tasks):
            if cost[first] < NEVER and cost[first] - total[task, start + first] < opened[task]:
                opened[task] = cost[first] - total[task, start + first]
                opened_at[task] = first
            value = opened[task] + total[task, start + n]
            if opened[task] < NEVER and value < cost[n]:
                cost[n], task_of[n], begun[n] = value, task, opened_at[task]
    return cost, task_of, begun


@njit(cache=True)
def shifts(total, starts):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Least cost of a shift by start (a step of the horizon) and length beyond the shortest."""
    steps = total.shape[1] - 1
    found = np.full((len(starts), LONGEST - SHORTEST + 1), END)
    for number in range(len(starts)):
        last = min(LONGEST, steps - starts[number])
        if last >= SHORTEST:
            cost, _task, _begun = division(total, starts[number], last)
            found[number, : last - SHORTEST + 1] = cost[SHORTEST:]
    return found


@njit(cache=True)
def completions(found, starts, first_of_day, most):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Least cost of the days from a day on, by working days just before, first free step of the day, steps to work.

    Second, the same for rosters whose next shift has a given start: by working days just before, start, steps to work.
    """
    days = len(first_of_day) - 1
    free = np.full((days + 1, DAYS_ON + 1, DAY + 1, most + 1), END)
    begin = np.full((DAYS_ON, len(starts), most + 1), END)
    free[days, :, :, 0] = 0.0
    for day in range(days - 1, -1, -1):
        midnight = day * DAY - OPENING
        for run in range(DAYS_ON + 1):
            free[day, run, DAY] = free[day + 1, 0, 0]
            after, number = DAY, first_of_day[day + 1]
            for since in range(DAY - 1, -1, -1):
                free[day, run, since] = free[day, run, since + 1]
                if number > first_of_day[day] and starts[number - 1] - midnight == since and run < DAYS_ON:
                    number -= 1
                    for length in range(SHORTEST, LONGEST + 1):
                        value = found[number, length - SHORTEST]
                        if value >= NEVER:
                            continue
                        after = max(0, since + length + REST - DAY)
                        for left in range(length, most + 1):
                            here = value + free[day + 1, run + 1, after, left - length]
                            begin[run, number, left] = min(begin[run, number, left], here)
                    for left in range(most + 1):
                        free[day, run, since, left] = min(free[day, run, since, left], begin[run, number, left])
    return free, begin


@njit(cache=True)
def trace(free, begin, found, starts, first_of_day, total, left):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The task of each step on a path of least cost that works `left` steps, -1 for a free one."""
    plan = np.full(total.shape[1] - 1, -1)
    run, since = 0, 0
    for day in range(len(first_of_day) - 1):
        midnight = day * DAY - OPENING
        chosen, best = -1, free[day + 1, 0, 0, left]
        for number in range(first_of_day[day], first_of_day[day + 1]):
            if run < DAYS_ON and starts[number] - midnight >= since and begin[run, number, left] < best:
                chosen, best = number, begin[run, number, left]
        if chosen < 0:
            run, since = 0, 0
            continue
        longest, best, after = 0, END, 0
        for length in range(SHORTEST, min(LONGEST, left) + 1):
            ready = max(0, starts[chosen] - midnight + length + REST - DAY)
            value = found[chosen, length - SHORTEST] + free[day + 1, run + 1, ready, left - length]
            if value < best:
                longest, best, after = length, value, ready
        _cost, task_of, begun = division(total, starts[chosen], longest)
        end = longest
        while end > 0:
            plan[starts[chosen] + begun[end] : starts[chosen] + end] = task_of[end]
            end = begun[end]
        run, since, left = run + 1, after, left - longest
    return plan
