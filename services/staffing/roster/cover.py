"""How many are needed in each cell, and what missing and surplus people cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

MISSING: Final = 1_000.0
"""What a missing person costs while searching where the minimum is a hard rule: more than any surplus is worth."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Cover of every cell, each array by cell.

    With u people in a cell the cost is `under` × max(0, least - u) + `over` × max(0, u - most), the last bracket
    squared where `squared`. Where `hard`, fewer than `least` is not allowed at all and `under` serves the search only.
    """

    least: Counts
    most: Counts
    under: Array
    over: Array
    squared: bool = False
    hard: bool = False

    def costs(self, used: Counts) -> Array:
        """Cost by cell with so many people in each."""
        surplus = np.maximum(used - self.most, 0).astype(float)
        missing = np.maximum(self.least - used, 0)
        costs: Array = self.under * missing + self.over * (surplus**2 if self.squared else surplus)
        return costs

    def cost(self, used: Counts) -> float:
        """Cost of all cells together."""
        return float(self.costs(used).sum())

    def relaxed(self, prices: Array) -> float:
        """The smallest of cost - price × people over all cells, people chosen freely from 0 on.

        The part of the Lagrangian bound that belongs to the cover. A price below `-under` or, without squares, above
        `over` has its minimum at none or without limit; prices are expected within.
        """
        if self.squared:
            # over × s² - price × s is least beside s = price / (2 × over)
            safe = np.where(self.over > 0, self.over, 1.0)
            surplus = np.maximum(np.where(self.over > 0, np.round(prices / (2 * safe)), 0.0), 0.0)
            above = self.over * surplus**2 - prices * (self.most + surplus)
        else:
            above = -prices * self.most
        return float(np.minimum(above, -prices * self.least).sum())
