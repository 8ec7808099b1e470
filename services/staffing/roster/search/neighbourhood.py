"""Large neighbourhoods: some people are rostered anew around the others, by the same column generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from services.staffing.roster.problem import Problem, Roster
from services.staffing.roster.search.dive import dive
from services.staffing.roster.search.generation import Generation
from services.staffing.roster.search.master import Master


def improve(
    problem: Problem,
    rosters: Sequence[Roster],
    people: Collection[int],
    known: Sequence[Roster],
    random: np.random.Generator,
    stop: Callable[[], bool],
    *, mip: float = 2.0,
) -> tuple[list[Roster] | None, str]:
    """Rosters of everybody that cost less in all, `people` rostered anew and the others kept; None where none is found.

    `known` are rosters to begin with. Neighbourhoods whose relaxation shows that nothing is to be gained end at once.
    """
    master = Master(problem, [one for one in rosters if one.person not in people])
    master.add([one for one in rosters if one.person in people])
    master.add(known)
    cost = problem.cost(rosters)
    generation = Generation(problem, master, stop)
    lower = generation.run(enough=0.05)
    if np.ceil(lower.bound - 1e-6) >= cost:
        return None, "bound"
    found = master.choose(below=cost, seconds=mip) if mip else None
    if found is not None:
        return found, "mip"
    return None, "none"
