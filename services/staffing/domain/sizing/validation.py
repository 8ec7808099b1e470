"""How far the closed forms are from the simulation over the region they are offered for, and where it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.staffing.domain.sizing.erlang import Load, Performance
from services.staffing.domain.sizing.performance import performance
from services.staffing.domain.sizing.simulate import Case, Simulated, simulate

OCCUPANCY: Final = (0.5, 0.97)
SLOTS: Final = (2, 800)
"""2 to 200 people, 1 to 4 contacts at a time each."""
PATIENCE: Final = (30.0, 600.0)
SPREAD: Final = (0.5, 2.0)
HANDLING: Final = (60.0, 1_200.0)
WITHIN: Final = (5.0, 60.0)
SHARES: Final = ("of_offered", "of_answered", "any_outcome", "abandoned")
_LOADS: Final = (0.5, 1.35)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One case both ways; `differences` in percentage points by share, closed form less simulation."""

    case: Case
    closed: Performance
    simulated: Simulated

    @property
    def differences(self) -> dict[str, float]:
        """Percentage points by share."""
        return {
            name: 100 * (float(getattr(self.closed, name)) - float(getattr(self.simulated, name))) for name in SHARES
        }

    @property
    def worst(self) -> float:
        """The largest difference, percentage points."""
        return max(abs(one) for one in self.differences.values())


def load_of(case: Case) -> Load:
    """A simulation's case as the closed forms take it."""
    return Load.of(case.arrivals, case.handling, case.patience, case.spread)


def compare(case: Case, *, seed: int = 1, contacts: int = 400_000, correct: bool = True) -> Comparison:
    """Judge one case both ways."""
    closed = performance(load_of(case), case.slots, case.within, correct=correct)
    return Comparison(case, closed, simulate(case, seed=seed, contacts=contacts))


def outside(case: Case, occupancy: float) -> list[str]:
    """In what a case lies outside the validated region; empty when it lies inside.

    Erlang C with exponential handling is exact, so that endless patience is inside.
    """
    exact = math.isinf(case.patience) and case.spread == 1
    limits = {
        "occupancy": (occupancy, OCCUPANCY),
        "contacts served at a time": (case.slots, SLOTS),
        "patience": (PATIENCE[0] if exact else case.patience, PATIENCE),
        "cv² of handling": (case.spread, SPREAD),
        "handling": (case.handling, HANDLING),
        "threshold": (case.within, WITHIN),
    }
    return [
        f"{name} {value:g} outside {low:g} – {high:g}"
        for name, (value, (low, high)) in limits.items()
        if not low * 0.999 <= value <= high * 1.001
    ]


def draw(number: int, *, seed: int) -> list[Case]:
    """Random cases of the region, spread evenly over the logarithms of its ranges."""
    random = np.random.default_rng(seed)

    def between(low: float, high: float) -> float:
        return math.exp(random.uniform(math.log(low), math.log(high)))

    found: list[Case] = []
    while len(found) < number:
        slots, handling, load = round(between(*SLOTS)), between(*HANDLING), random.uniform(*_LOADS)
        case = Case(
            arrivals=load * slots / handling,
            handling=handling,
            patience=between(*PATIENCE),
            slots=slots,
            spread=between(*SPREAD),
            within=between(*WITHIN),
        )
        occupancy = float(performance(load_of(case), slots, case.within, correct=False).occupancy)
        if OCCUPANCY[0] <= occupancy <= OCCUPANCY[1]:
            found.append(case)
    return found
