"""What the checker says of a roster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class UnreadableError(ValueError):
    """A file that the checker cannot read: where and why."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {reason}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Objective by rule, each hard rule broken in words, and the bound that the published prices prove, if any."""

    objective: Mapping[str, int]
    broken: Sequence[str]
    bound: float | None

    @property
    def total(self) -> int:
        """The whole objective."""
        return sum(self.objective.values())

    @property
    def proved(self) -> int | None:
        """The least whole objective that the bound leaves: every weight is whole."""
        return None if self.bound is None or math.isinf(self.bound) else math.ceil(self.bound - 1e-6)

    @property
    def gap(self) -> float | None:
        """(objective - proved) / objective; None without a bound, or where a hard rule is broken."""
        if self.proved is None or self.broken:
            return None
        return 0.0 if self.total == self.proved else (self.total - self.proved) / max(self.total, 1)
