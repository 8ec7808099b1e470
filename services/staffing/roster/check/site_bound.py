"""The lower bound that prices of cover prove for a site's weeks, by a dynamic programme of its own.

The same duality as in `days_bound`. Rosters go forwards, week by week and day by day, over labels of what the rules
ask for; the best shift of a day is found from prices alone before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.staffing.roster.check.site import MIDNIGHT, QUARTER, Work, unsocial

Array: TypeAlias = NDArray[np.float64]
Option: TypeAlias = tuple[int, int, int, float]
"""Start, end and paid minutes of a shift, and what it costs on a day at these prices."""
Label: TypeAlias = tuple[int, int, bool]
"""Minutes free at midnight, days in a row, and whether this week's rest is had."""


def bound(problem: Mapping[str, Any], prices: Mapping[str, Array]) -> float:
    """The bound that `prices` by activity and quarter hour prove."""
    weights, everybody = problem["weights"], len(problem["people"])
    total = 0.0
    for name, row in prices.items():
        need = np.zeros(len(row))
        for quarter, people in problem["need"].get(name, []):
            need[quarter] = people
        supervises = name == "SUPERVISOR"
        under = weights["unsupervised" if supervises else "missing"]
        over = 0 if supervises else weights["surplus"]
        # a convex cost minus a line is least at one of its corners; everybody together is the last one
        corners = [np.zeros(len(row)), np.minimum(need, everybody), np.full(len(row), everybody)]
        total += float(
            np.min(
                [under * np.maximum(need - u, 0) + over * np.maximum(u - need, 0) - row * u for u in corners], axis=0
            ).sum()
        )
    known: dict[str, float] = {}
    for person in problem["people"]:
        likeness = repr({key: value for key, value in person.items() if key != "id"})
        if likeness not in known:
            known[likeness] = _least(problem, person, prices)
        total += known[likeness]
    return total


def _least(problem: Mapping[str, Any], person: Mapping[str, Any], prices: Mapping[str, Array]) -> float:
    """The least of cost + prices over one person's rosters; arrays by quarter hours worked and unsocial shifts."""
    limits = problem["limits"]
    cap = max(limits["weekly_rest_minutes"], limits["between_minutes"])
    most, social = person["most_minutes"] // QUARTER, 8
    start = np.full((most + 1, social), np.inf)
    start[0, 0] = 0.0
    labels: dict[Label, Array] = {(min(person.get("free", 7 * MIDNIGHT), cap), person.get("run", 0), False): start}
    for day in range(problem["days"]):
        options = list(_options(problem, person, prices, day))
        off = _alone(problem, person, day, None)
        following: dict[Label, Array] = {}
        for (free, run, rested), value in labels.items():
            if np.isfinite(off):
                _keep(following, (min(free + MIDNIGHT, cap), 0, rested), value + off)
            for begin, end, paid, cost in options if run < limits["days_in_row"] else ():
                if free + begin < limits["between_minutes"]:
                    continue
                now = rested or min(free, day % 7 * MIDNIGHT) + begin >= limits["weekly_rest_minutes"]
                hard = int(unsocial(problem, _work(day, begin, end)))
                moved = np.full(value.shape, np.inf)
                steps = paid // QUARTER
                if steps <= most:
                    moved[steps:, hard:] = value[: most + 1 - steps, : social - hard] + cost
                    _keep(following, (MIDNIGHT - end, run + 1, now), moved)
        labels = following if day % 7 < 6 else _next_week(problem, person, following, day // 7)
    return min((float(value.min()) for value in labels.values()), default=np.inf)


def _keep(labels: dict[Label, Array], label: Label, value: Array) -> None:
    before = labels.get(label)
    labels[label] = value if before is None else np.minimum(before, value)


def _next_week(
    problem: Mapping[str, Any], person: Mapping[str, Any], labels: Mapping[Label, Array], week: int
) -> dict[Label, Array]:
    """Weeks without their rest fall away; hours and unsocial shifts are paid for and begin anew."""
    weights = problem["weights"]
    away = sum(1 for day in person.get("leave", ()) if day // 7 == week)
    due = max(0, person["least_minutes"] - person["least_minutes"] * away // 5) // QUARTER
    found: dict[Label, Array] = {}
    for (free, run, rested), value in labels.items():
        if not rested and free < problem["limits"]["weekly_rest_minutes"]:
            continue
        worked, hard = np.indices(value.shape)
        paid = weights["contract"] * np.maximum(due - worked, 0)
        paid = paid + weights["fairness"] * (hard**2 + 2 * person.get("past", 0) * hard)
        anew = np.full(value.shape, np.inf)
        anew[0, 0] = (value + paid).min()
        _keep(found, (free, run, False), anew)
    return found


def _options(
    problem: Mapping[str, Any], person: Mapping[str, Any], prices: Mapping[str, Array], day: int
) -> Iterator[Option]:
    for shift in problem["shifts"]:
        alone = _alone(problem, person, day, shift["id"])
        if not np.isfinite(alone):
            continue
        rest, lead = shift.get("break_minutes", 0), shift.get("break_lead", 0)
        first, length = (day * MIDNIGHT + shift["start"]) // QUARTER, shift["minutes"] // QUARTER
        least = np.inf
        for name in person["activities"]:
            row = prices[name][first : first + length]
            pauses = range(lead // QUARTER, length - (rest + lead) // QUARTER + 1) if rest else (0,)
            worked = [float(row.sum() - row[at : at + rest // QUARTER].sum()) for at in pauses]
            least = min(least, *worked)
        yield shift["start"], shift["start"] + shift["minutes"], shift["minutes"] - rest, alone + least


def _alone(problem: Mapping[str, Any], person: Mapping[str, Any], day: int, shift: str | None) -> float:
    """What a shift, or a day off, costs on a day by wishes and stability; infinite where it is not allowed."""
    works, fixed = shift or "OFF", person.get("fixed", {}).get(str(day))
    if (shift is not None and day in person.get("leave", ())) or (fixed is not None and fixed != works):
        return np.inf
    cost = 0.0
    for wish in person.get("wishes", ()):
        if wish["day"] == day and works != wish["shift"] and not (wish["shift"] == "ANY" and shift):
            cost += wish["weight"]
    published = person.get("published", {}).get(str(day))
    return cost + (problem["weights"]["changed"] if published is not None and published != works else 0)


def _work(day: int, begin: int, end: int) -> Work:
    return Work(day * MIDNIGHT + begin, day * MIDNIGHT + end, (0, 0), "")
