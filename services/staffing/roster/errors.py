"""What can be wrong with a roster problem."""

from __future__ import annotations

from collections.abc import Sequence


class ImpossibleError(ValueError):
    """No roster keeps the rules: whose, and the smallest set of rules that contradict each other, in words."""

    def __init__(self, person: str, rules: Sequence[str]) -> None:
        super().__init__(f"{person} cannot be rostered: " + "; ".join(rules))
        self.person, self.rules = person, tuple(rules)
