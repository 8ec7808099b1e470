"""The smallest number of people that keeps every promise, for thousands of intervals at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.staffing.domain.sizing.erlang import Load, Performance
from services.staffing.domain.sizing.performance import performance

DEFINITIONS: Final = ("offered", "answered", "any")
"""Names of a service level: in time of all offered, of those answered, or out of the queue whatever the outcome."""

_MOST: Final = 1_000_000

Counts = NDArray[np.int64]


class TargetUnreachableError(ValueError):
    """A promise that no number of people keeps."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised; shares from 0 to 1, `within` in seconds. A share of 1 for the last two sets no limit."""

    level: float = 0.8
    within: float = 20.0
    definition: str = "offered"
    abandoned: float = 1.0
    occupancy: float = 1.0

    def __post_init__(self) -> None:
        if self.definition not in DEFINITIONS:
            raise TargetUnreachableError(f"service level of {self.definition!r}: write one of {', '.join(DEFINITIONS)}")
        if not 0 < self.level < 1:
            raise TargetUnreachableError(f"a level of {self.level:.0%} needs endless people; promise less than 100 %")
        if not 0 < self.occupancy <= 1:
            raise TargetUnreachableError(f"an occupancy of {self.occupancy:.0%} is not between 0 and 100 %")

    def kept(self, found: Performance) -> NDArray[np.bool_]:
        """Which cases keep all of it."""
        return np.asarray(
            (found.level(self.definition) >= self.level)
            & (found.abandoned <= self.abandoned)
            & (found.occupancy <= self.occupancy)
        )


@dataclass(frozen=True, slots=True)
class People:
    """Who serves: contacts at a time each, and the share of paid time away from customers (breaks, training, leave)."""

    concurrency: int = 1
    shrinkage: float = 0.0

    def scheduled(self, present: Counts) -> Counts:
        """People to schedule so that `present` are there."""
        return np.asarray(np.ceil(present / (1 - self.shrinkage) - 1e-9), dtype=np.int64)


def size(load: Load, target: Target, people: People | None = None) -> Counts:
    """The smallest numbers of people present that keep the target, 0 where nothing comes.

    More people never do worse by any of the promises, so the answer is bracketed from the square-root rule outwards and
    then halved; only what is still open is computed again.
    """
    each = (people or People()).concurrency
    busy = load.arrivals > 0
    found = np.zeros(load.arrivals.shape, dtype=np.int64)
    found[busy] = _smallest(load[busy], target, each)
    return found


def _smallest(load: Load, target: Target, each: int) -> Counts:
    """Bracket and halve. `low` is known to be too few (0 always is), `high` to be enough once it is below _MOST."""
    root = np.sqrt(load.erlangs) / each
    low, high = np.zeros(root.shape, dtype=np.int64), np.full(root.shape, _MOST, dtype=np.int64)
    probe = np.maximum(1, np.ceil(load.erlangs / each + 0.5 * root)).astype(np.int64)
    step = np.maximum(1, np.ceil(0.25 * root)).astype(np.int64)
    rows = np.arange(root.size)
    while rows.size:
        enough = target.kept(performance(load[rows], probe[rows] * each, target.within))
        high[rows[enough]], low[rows[~enough]] = probe[rows[enough]], probe[rows[~enough]]
        if low.max() >= _MOST // 4:
            raise TargetUnreachableError("more than 250,000 people would be needed: check volumes and handling times")
        outwards = np.where(high == _MOST, low + step, np.maximum(high - step, 1))
        probe = np.where((high == _MOST) | (low == 0), outwards, (low + high) // 2)
        step *= 2
        rows = np.flatnonzero(high - low > 1)
    return high
