"""One question of a planner answered whole: people, what customers get, the simulation's word on it, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.staffing.domain.sizing.erlang import Load, Performance
from services.staffing.domain.sizing.performance import performance
from services.staffing.domain.sizing.simulate import Case, Simulated, simulate
from services.staffing.domain.sizing.size import People, Target, size
from services.staffing.domain.sizing.validation import SLOTS, outside

_CONTACTS: Final = 2_000_000
_MOST_SLOTS: Final = 2 * SLOTS[1]


@dataclass(frozen=True, slots=True)
class Answer:
    """People present and scheduled, the closed forms' figures, the simulation's, and warnings about them."""

    present: int
    scheduled: int
    closed: Performance
    simulated: Simulated | None
    outside: tuple[str, ...]

    def difference(self, definition: str) -> float | None:
        """Closed form less simulation, percentage points of the service level; None without a simulation."""
        if self.simulated is None:
            return None
        level = {"offered": "of_offered", "answered": "of_answered", "any": "any_outcome"}[definition]
        return 100 * (float(getattr(self.closed, level)) - float(getattr(self.simulated, level)))


def answer(
    load: Load, target: Target, people: People, *, present: int | None = None, contacts: int = _CONTACTS
) -> Answer:
    """Size one case, or judge `present` people, and simulate it. Raises TargetUnreachableError.

    A queue that nobody leaves and that is offered more than it can serve has no steady state: it is not simulated. Nor
    is one far larger than the validated region.
    """
    count = int(size(load, target, people)) if present is None else present
    slots = count * people.concurrency
    closed = performance(load, slots, target.within)
    case = case_of(load, slots, target.within)
    steady = slots > 0 and (np.isfinite(case.patience) or float(load.erlangs) < slots)
    found = simulate(case, contacts=contacts) if steady and case.arrivals > 0 and slots <= _MOST_SLOTS else None
    return Answer(
        present=count,
        scheduled=int(people.scheduled(np.array(count))),
        closed=closed,
        simulated=found,
        outside=tuple(outside(case, float(closed.occupancy))) if case.arrivals > 0 else (),
    )


def case_of(load: Load, slots: int, within: float) -> Case:
    """A case of the closed forms as the simulation takes it."""
    return Case(
        arrivals=load.arrivals.item(),
        handling=load.handling.item(),
        patience=load.patience.item(),
        slots=slots,
        spread=load.spread.item(),
        within=within,
    )
