"""Column generation: rosters are priced into the master until no roster of anybody would improve it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.staffing.roster.cover import Array
from services.staffing.roster.problem import Problem, Roster
from services.staffing.roster.search.master import Master, Relaxed

SMOOTHING: Final = 0.8
"""Weight of the best prices so far (Wentges 1997): raw prices jump about and cost several times the rounds."""
NEGLIGIBLE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Generated:
    """The relaxation in the end, and the best Lagrangian bound with the prices that prove it."""

    relaxed: Relaxed
    bound: float
    prices: Array


@dataclass(slots=True)
class Generation:
    """Column generation in a master."""

    problem: Problem
    master: Master
    stop: Callable[[], bool]

    def run(
        self,
        *,
        enough: float = NEGLIGIBLE,
        share: float = 0.0,
        watch: Callable[[float, Array], None] | None = None,
    ) -> Generated:
        """Generate until bound and relaxation are `enough`, or that `share` of the value, apart.

        The bound is right whenever it stops; `watch` is told every better bound and its prices.
        """
        final = self.master.final
        kinds = np.flatnonzero(self.master.open)
        relaxed = self.master.solve()
        best, prices = -np.inf, relaxed.prices
        while True:
            smoothing = SMOOTHING if np.isfinite(best) else 0.0
            while True:
                tried = smoothing * prices + (1 - smoothing) * relaxed.prices
                found = [self.problem.pricer.price(int(kind), tried) for kind in kinds]
                bound = self.problem.cover.relaxed(tried) + sum(
                    self.master.open[kind] * one.least for kind, one in zip(kinds, found, strict=True)
                )
                bound += sum(one.cost + float(tried[one.cells].sum()) for one in final)
                if bound > best:
                    best, prices = bound, tried
                    if watch is not None:
                        watch(best, prices)
                useful = [roster for one in found for roster in one.rosters if self._improves(relaxed, roster)]
                if useful or smoothing == 0.0:
                    break
                smoothing = max(0.0, smoothing - 0.4)
            if self.master.add(useful) == 0 or self.stop():
                break
            relaxed = self.master.solve()
            if relaxed.value - best < max(enough, share * relaxed.value):
                break
        return Generated(relaxed, best, prices)

    @staticmethod
    def _improves(relaxed: Relaxed, roster: Roster) -> bool:
        value = roster.cost + float(relaxed.prices[roster.cells].sum()) - relaxed.due[roster.kind]
        return bool(value < -NEGLIGIBLE)
