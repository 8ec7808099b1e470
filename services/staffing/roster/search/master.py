"""The master problem: one roster for each person, cover as a piecewise linear cost. HiGHS keeps its basis throughout."""

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
STEPS: Final = 4
"""Steps by which a squared surplus is followed before it goes on as a straight line; only the search sees it."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """An optimal fractional solution: `prices` of working in a cell, `due` by person, `shares` of the columns."""

    value: float
    prices: Array
    due: dict[int, float]
    shares: Array


class Master:
    """Chooses one roster for each person, but for those whose rosters are `final`; costs are those of all together."""

    def __init__(self, problem: Problem, final: Sequence[Roster] = ()) -> None:
        self.rosters: list[Roster] = []
        self.final = list(final)
        settled = {one.person for one in final}
        people = [person for person in range(len(problem.people)) if person not in settled]
        self._known: set[tuple[int, bytes]] = set()
        self._row = {person: position for position, person in enumerate(people)}
        self._cover, self._cells = problem.cover, problem.cells
        self._constant = sum(one.cost for one in final)
        self._solver = highspy.Highs()
        for name, value in (("output_flag", False), ("threads", 1), ("simplex_strategy", 4)):
            self._solver.setOptionValue(name, value)
        self._build(problem.used(final))

    def _build(self, fixed: Counts) -> None:
        people = len(self._row)
        empty = np.array([], dtype=np.int32)
        need = (self._cover.least - fixed).astype(float)
        bounds = np.concatenate([np.ones(people), need])
        self._solver.addRows(len(bounds), bounds, bounds, 0, empty, empty, np.array([], dtype=float))
        rows = np.arange(people, people + self._cells)
        self._slack(np.arange(people), np.full(people, UNROSTERED), 1.0, np.full(people, np.inf))
        self._slack(rows, self._cover.under, 1.0, np.full(self._cells, np.inf))
        between = (self._cover.most - self._cover.least).astype(float)
        if between.any():
            self._slack(rows, np.zeros(self._cells), -1.0, between)
        if self._cover.squared:
            for step in range(STEPS):
                self._slack(rows, self._cover.over * (2 * step + 1), -1.0, np.ones(self._cells))
        last = self._cover.over * (2 * STEPS + 1 if self._cover.squared else 1)
        self._slack(rows, last, -1.0, np.full(self._cells, np.inf))
        self._first = self._solver.getNumCol()

    def _slack(self, rows: Counts, cost: Array, sign: float, most: Array) -> None:
        count = len(rows)
        self._solver.addCols(count, cost, np.zeros(count), most, count, np.arange(count, dtype=np.int32),
                             rows.astype(np.int32), np.full(count, sign))

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
            people = len(self._row)
            rows = np.concatenate([np.concatenate([[self._row[one.person]], one.cells + people]) for one in fresh])
            self._solver.addCols(len(fresh), np.array([one.cost for one in fresh]), np.zeros(len(fresh)),
                                 np.full(len(fresh), np.inf), int(sizes.sum()), starts, rows.astype(np.int32),
                                 np.ones(int(sizes.sum())))
            self.rosters.extend(fresh)
        return len(fresh)

    def solve(self) -> Relaxed:
        """Solve the relaxation over the present rosters."""
        self._solver.run()
        solution = self._solver.getSolution()
        duals = np.array(solution.row_dual)
        people = len(self._row)
        due = {person: float(duals[row]) for person, row in self._row.items()}
        value = float(self._solver.getInfo().objective_function_value)
        return Relaxed(value + self._constant, -duals[people:], due, np.array(solution.col_value[self._first :]))

    def fix(self, column: int) -> None:
        """Make the roster of a column final."""
        self.final.append(self.rosters[column])
        self._solver.changeColBounds(self._first + column, 1.0, 1.0)

    def choose(self, *, below: float, seconds: float) -> list[Roster] | None:
        """The best whole choice for all that costs less than `below`; None where there is none in so many seconds."""
        count = len(self.rosters)
        columns = np.arange(self._first, self._first + count, dtype=np.int32)
        self._solver.changeColsIntegrality(count, columns, np.full(count, highspy.HighsVarType.kInteger))
        for name, value in (("time_limit", self._solver.getRunTime() + seconds), ("objective_bound", below - self._constant),
                            ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.99)):
            self._solver.setOptionValue(name, value)
        self._solver.run()
        found = np.array(self._solver.getSolution().col_value)
        if not len(found) or self._solver.getInfo().primal_solution_status != 2:
            return None
        chosen = [one for one, value in zip(self.rosters, found[self._first :], strict=True) if value > 0.5]
        return [*self.final, *chosen] if len(chosen) == len(self._row) else None
