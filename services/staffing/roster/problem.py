"""A roster problem as the search sees it: people, cells, cover, and somebody who finds one person's best roster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.staffing.roster.cover import Array, Counts, Cover


@dataclass(frozen=True, slots=True)
class Roster:
    """What one person works: sorted cells (slot × activities + activity), and what it costs apart from cover."""

    person: int
    cost: float
    cells: Counts = field(repr=False)

    @property
    def key(self) -> tuple[int, bytes]:
        """Equal for the same work of the same person."""
        return self.person, self.cells.tobytes()


@dataclass(frozen=True, slots=True)
class Priced:
    """The least of cost + prices over all rosters of one person, and rosters of small value, the best first."""

    least: float
    rosters: Sequence[Roster]


class Pricer(Protocol):
    """Knows each person's rules: every hard rule is kept by every roster that it returns."""

    def price(self, person: int, prices: Array) -> Priced:
        """Find the person's best rosters when working in a cell costs `prices[cell]` besides.

        Raises ImpossibleError when no roster keeps the person's rules.
        """
        ...

    def cost(self, person: int, cells: Counts) -> float | None:
        """Cost of a given roster apart from cover; None where it breaks a rule of the person."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """People numbered from 0, `slots` × `activities` cells, their cover."""

    people: Sequence[str]
    slots: int
    activities: int
    cover: Cover
    pricer: Pricer

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.slots * self.activities

    def used(self, rosters: Sequence[Roster]) -> Counts:
        """People in each cell."""
        used = np.zeros(self.cells, dtype=np.int64)
        for one in rosters:
            used[one.cells] += 1
        return used

    def cost(self, rosters: Sequence[Roster]) -> float:
        """Objective of a complete set of rosters."""
        return sum(one.cost for one in rosters) + self.cover.cost(self.used(rosters))
