"""The master problem: one roster for each person, cover as a piecewise linear cost; HiGHS keeps its basis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import highspy
import numpy as np

from services.staffing.roster.cover import Array, Counts
from services.staffing.roster.problem import Problem, Roster

UNROSTERED: Final = 1e5
"""Cost of a person without a roster while columns are few."""
FEASIBLE: Final = 2  # kSolutionStatusFeasible
STEPS: Final = 4
"""Steps by which a squared surplus is followed before it goes on as a straight line; only the search sees it."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """An optimal fractional solution.

    `prices` of working in a cell, `due` by kind, `shares` of the columns beyond those made final.
    """

    value: float
    prices: Array
    due: Array
    shares: Array


class Master:
    """Chooses one roster for each person, but for those whose rosters are `final`; costs are those of all together."""

    def __init__(self, problem: Problem, final: Sequence[Roster] = ()) -> None:
        self.rosters: list[Roster] = []
        self.final = list(final)
        self._known: set[tuple[int, bytes]] = set()
        self._kinds = max(problem.kinds) + 1
        self.open = np.bincount(problem.kinds, minlength=self._kinds)
        for one in final:
            self.open[one.kind] -= 1
        self._cover, self._cells = problem.cover, problem.cells
        self._constant = sum(one.cost for one in final)
        self._fixed = np.zeros(0)
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        self._solver.setOptionValue("simplex_strategy", 4)
        self._build(problem.used(final))

    def _build(self, fixed: Counts) -> None:
        empty = np.array([], dtype=np.int32)
        need = (self._cover.least - fixed).astype(float)
        bounds = np.concatenate([self.open.astype(float), need])
        self._solver.addRows(len(bounds), bounds, bounds, 0, empty, empty, np.array([], dtype=float))
        rows = np.arange(self._kinds, self._kinds + self._cells)
        endless = np.full(self._cells, np.inf)
        self._slack(np.arange(self._kinds), np.full(self._kinds, UNROSTERED), 1.0, np.full(self._kinds, np.inf))
        self._slack(rows, self._cover.under, 1.0, endless)
        between = (self._cover.most - self._cover.least).astype(float)
        if between.any():
            self._slack(rows, np.zeros(self._cells), -1.0, between)
        if self._cover.squared:
            for step in range(STEPS):
                self._slack(rows, self._cover.over * (2 * step + 1), -1.0, np.ones(self._cells))
        self._slack(rows, self._cover.over * (2 * STEPS + 1 if self._cover.squared else 1), -1.0, endless)
        self._first = self._solver.getNumCol()

    def _slack(self, rows: Counts, cost: Array, sign: float, most: Array) -> None:
        count = len(rows)
        self._solver.addCols(
            count,
            cost,
            np.zeros(count),
            most,
            count,
            np.arange(count, dtype=np.int32),
            rows.astype(np.int32),
            np.full(count, sign),
        )

    def add(self, rosters: Iterable[Roster]) -> int:
        """Add rosters that are not there yet; returns how many."""
        fresh = []
        for one in rosters:
            if one.key not in self._known:
                self._known.add(one.key)
                fresh.append(one)
        if fresh:
            sizes = np.array([len(one.cells) + 1 for one in fresh])
            starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
            rows = np.concatenate([np.concatenate([[one.kind], one.cells + self._kinds]) for one in fresh])
            self._solver.addCols(
                len(fresh),
                np.array([one.cost for one in fresh]),
                np.zeros(len(fresh)),
                np.full(len(fresh), np.inf),
                int(sizes.sum()),
                starts,
                rows.astype(np.int32),
                np.ones(int(sizes.sum())),
            )
            self.rosters.extend(fresh)
            self._fixed = np.concatenate([self._fixed, np.zeros(len(fresh))])
        return len(fresh)

    def solve(self) -> Relaxed:
        """Solve the relaxation over the present rosters."""
        self._solver.run()
        solution = self._solver.getSolution()
        duals = np.array(solution.row_dual)
        value = float(self._solver.getInfo().objective_function_value) + self._constant
        shares = np.array(solution.col_value[self._first :])
        return Relaxed(value, -duals[self._kinds :], duals[: self._kinds], shares - self._fixed)

    def fix(self, column: int) -> None:
        """Make the roster of a column final for one more person."""
        self._fixed[column] += 1
        self._solver.changeColBounds(self._first + column, float(self._fixed[column]), np.inf)
        self.final.append(self.rosters[column])
        self.open[self.rosters[column].kind] -= 1

    def choose(self, start: Sequence[Roster], *, seconds: float) -> list[Roster] | None:
        """A choice among the present rosters that costs less than `start`, which are among them; None if none is found.

        HiGHS's branch and bound over the columns that are there; no others are priced.
        """
        count, columns = len(self.rosters), self._solver.getNumCol()
        numbers = np.arange(self._first, columns, dtype=np.int32)
        self._solver.changeColsIntegrality(count, numbers, np.full(count, highspy.HighsVarType.kInteger))
        values = np.zeros(count)
        position = {one.key: number for number, one in enumerate(self.rosters)}
        for one in start:
            values[position[one.key]] += 1
        self._solver.setSolution(count, numbers, values)
        for name, value in (
            ("time_limit", self._solver.getRunTime() + seconds),
            ("mip_rel_gap", 0.0),
            ("mip_abs_gap", 0.99),
            ("mip_heuristic_effort", 0.2),
        ):
            self._solver.setOptionValue(name, value)
        self._solver.run()
        if self._solver.getInfo().primal_solution_status != FEASIBLE:
            return None
        found = np.array(self._solver.getSolution().col_value[self._first :])
        times = np.round(found).astype(int)
        chosen = [one for one, number in zip(self.rosters, times, strict=True) for _ in range(number)]
        return chosen if len(chosen) == self.open.sum() else None
