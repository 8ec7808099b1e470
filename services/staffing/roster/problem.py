"""A roster problem as the search sees it: people, cells, cover, and somebody who finds one person's best roster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.staffing.roster.cover import Array, Counts, Cover


@dataclass(frozen=True, slots=True)
class Roster:
    """What a person of a kind works: sorted cells (slot × activities + activity), and its cost apart from cover."""

    kind: int
    cost: float
    cells: Counts = field(repr=False)

    @property
    def key(self) -> tuple[int, bytes]:
        """Equal for the same work of the same kind of people."""
        return self.kind, self.cells.tobytes()


@dataclass(frozen=True, slots=True)
class Priced:
    """The least of cost + prices over all rosters of one kind, and rosters of small value, the best first."""

    least: float
    rosters: Sequence[Roster]


class Pricer(Protocol):
    """Knows the rules of each kind of people: every roster that it returns keeps every hard rule."""

    def price(self, kind: int, prices: Array) -> Priced:
        """Find the best rosters when working in a cell costs `prices[cell]` besides.

        Raises ImpossibleError when no roster keeps the rules.
        """
        ...

    def roster(self, kind: int, cells: Counts) -> Roster | None:
        """The roster of given cells; None where it breaks a rule."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """`kinds` says of each person, by number, with whom they share every rule and wish: such people may swap rosters.

    There are `slots` × `activities` cells, slot by slot, and their cover. Weights are whole, so is every objective.
    `crowded`: so many cells that the relaxation takes minutes; best responses give a first roster in seconds.
    """

    kinds: Sequence[int]
    slots: int
    activities: int
    cover: Cover
    pricer: Pricer
    crowded: bool = False

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
        """Objective of a roster for everybody."""
        return sum(one.cost for one in rosters) + self.cover.cost(self.used(rosters))
