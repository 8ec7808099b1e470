"""Best responses: each person in turn gets the best roster beside everybody else's, until nobody gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from services.staffing.roster.problem import Problem, Roster

ROUNDS: Final = 12
"""Rounds at most; the last ones hardly gain."""

STIRRED: Final = 6
"""People at most whose rosters are stirred together."""


def respond(
    problem: Problem, random: np.random.Generator, stop: Callable[[], bool], begin: Mapping[int, Roster] | None = None
) -> list[Roster] | None:
    """Rosters of everybody that nobody alone can better; None when stopped before everybody has one.

    `begin` are rosters that some have already, by position. A roster uses a cell once, so that what one person more
    costs in each cell prices it exactly.
    """
    found = dict(begin or {})
    used = problem.used(list(found.values()))
    cost = np.inf
    for _ in range(ROUNDS):
        for position in random.permutation(len(problem.kinds)):
            if stop():
                return None
            if position in found:
                used[found[position].cells] -= 1
            prices = problem.cover.costs(used + 1) - problem.cover.costs(used)
            found[position] = problem.pricer.price(problem.kinds[position], prices).rosters[0]
            used[found[position].cells] += 1
        rosters = [found[position] for position in range(len(problem.kinds))]
        before, cost = cost, problem.cost(rosters)
        if cost >= before:
            break
    return rosters


def stir(problem: Problem, rosters: Sequence[Roster], random: np.random.Generator) -> list[Roster]:
    """Some people's rosters taken away, and given anew in turn beside the others; the better of before and after."""
    free = random.choice(len(rosters), min(len(rosters), int(random.integers(2, STIRRED + 1))), replace=False)
    found = dict(enumerate(rosters))
    for position in free:
        del found[int(position)]
    used = problem.used(list(found.values()))
    for position in [*free, *random.permutation(free)]:
        before = found.pop(int(position), None)
        if before is not None:
            used[before.cells] -= 1
        prices = problem.cover.costs(used + 1) - problem.cover.costs(used)
        found[int(position)] = problem.pricer.price(problem.kinds[position], prices).rosters[0]
        used[found[int(position)].cells] += 1
    after = [found[position] for position in range(len(rosters))]
    return after if problem.cost(after) <= problem.cost(rosters) else list(rosters)
