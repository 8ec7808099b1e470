"""Required staff by interval and skill: a whole day or week at once, with work carried over between intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import numpy as np

from services.staffing.domain.sizing.answer import case_of
from services.staffing.domain.sizing.demand import carried
from services.staffing.domain.sizing.erlang import Array, Load
from services.staffing.domain.sizing.performance import performance
from services.staffing.domain.sizing.simulate import simulate
from services.staffing.domain.sizing.size import People, Target, size

SIMULATED: Final = 100
"""Of a longer plan so many intervals, evenly apart, are simulated."""
_CONTACTS: Final = 100_000

Interval = tuple[datetime, str, float, float]
"""Start, skill, contacts, seconds of handling."""


@dataclass(frozen=True, slots=True)
class Row:
    """One interval of one skill; `simulated` is the simulation's service level, None where it was not asked."""

    start: datetime
    skill: str
    erlangs: float
    present: int
    scheduled: int
    level: float
    abandoned: float
    occupancy: float
    simulated: float | None


def plan(
    intervals: Sequence[Interval],
    *,
    interval: float,
    patience: float,
    spread: float,
    target: Target,
    people: People,
    simulated: int = SIMULATED,
) -> list[Row]:
    """Size every interval of `interval` seconds, given in order of skill and time. Raises TargetUnreachableError.

    Skills are sized apart: what people with several skills save is for the roster to find.
    """
    handling = np.array([one[3] for one in intervals])
    load = Load.of(_erlangs(intervals, interval) / handling, handling, patience, spread)
    present = size(load, target, people)
    slots = np.maximum(present, 1) * people.concurrency
    found, scheduled = performance(load, slots, target.within), people.scheduled(present)
    level = found.level(target.definition)
    asked = {int(n) for n in np.linspace(0, len(intervals) - 1, min(simulated, len(intervals)))}
    return [
        Row(
            start=start,
            skill=skill,
            erlangs=float(load.erlangs[n]),
            present=int(present[n]),
            scheduled=int(scheduled[n]),
            level=float(level[n]),
            abandoned=float(found.abandoned[n]),
            occupancy=float(found.occupancy[n]),
            simulated=_simulated(load, n, int(slots[n]), target) if n in asked and present[n] else None,
        )
        for n, (start, skill, _, _) in enumerate(intervals)
    ]


def _erlangs(intervals: Sequence[Interval], interval: float) -> Array:
    """Offered load with the work that each interval inherits; a gap in time begins anew."""
    loads = np.empty(len(intervals))
    length = timedelta(seconds=interval)
    # along a run of neighbours, start less number × length stays the same
    for _, run in groupby(enumerate(intervals), key=lambda pair: (pair[1][1], pair[1][0] - pair[0] * length)):
        rows = [number for number, _ in run]
        arrivals = np.array([intervals[row][2] / interval for row in rows])
        loads[rows] = carried(arrivals, np.array([intervals[row][3] for row in rows]), interval)
    return loads


def _simulated(load: Load, row: int, slots: int, target: Target) -> float:
    found = simulate(case_of(load[np.array([row])], slots, target.within), seed=row + 1, contacts=_CONTACTS)
    levels = {"offered": found.of_offered, "answered": found.of_answered, "any": found.any_outcome}
    return levels[target.definition]
