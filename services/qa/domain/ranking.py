"""Order among people, only as far as the figures carry it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from services.qa.domain.intervals import Estimate


@dataclass(frozen=True, slots=True)
class Rank:
    """The best and the worst place that somebody can have; `place` where both are the same."""

    best: int
    worst: int

    @property
    def place(self) -> int | None:
        """The place, None where intervals overlap."""
        return self.best if self.best == self.worst else None


def rank(estimates: Mapping[str, Estimate]) -> dict[str, Rank]:
    """Places by scores, higher is better.

    Somebody stands above another one only where the whole interval lies above the other's: whose intervals overlap are
    not ranked against each other.
    """
    lows = sorted(one.low for one in estimates.values())
    highs = sorted(one.high for one in estimates.values())
    count = len(estimates)
    return {
        person: Rank(
            best=1 + count - bisect_right(lows, one.high),  # surely better: their low is above my high
            worst=count - bisect_left(highs, one.low),  # surely worse: their high is below my low
        )
        for person, one in estimates.items()
    }
