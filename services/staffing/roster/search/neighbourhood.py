"""Large neighbourhoods: some people are rostered anew around the others, by the same column generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from services.staffing.roster.problem import Problem, Roster
from services.staffing.roster.search.generation import Generation
from services.staffing.roster.search.master import Master


def improve(
    problem: Problem,
    rosters: Sequence[Roster],
    free: Collection[int],
    known: Sequence[Roster],
    stop: Callable[[], bool],
    *,
    seconds: float,
) -> tuple[list[Roster] | None, bool]:
    """Rosters of everybody that cost less, those at the positions in `free` found anew; None where none is found.

    `known` are rosters to begin with. Also says whether it is proved that these people can gain nothing by themselves.
    """
    kept = [one for position, one in enumerate(rosters) if position not in free]
    start = [rosters[position] for position in free]
    kinds = {one.kind for one in start}
    master = Master(problem, kept)
    master.add(start)
    master.add(one for one in known if one.kind in kinds)
    cost = problem.cost(rosters)
    lower = Generation(problem, master, stop).run(enough=0.05)
    if np.ceil(lower.bound - 1e-6) >= cost:
        return None, True
    found = master.choose(start, seconds=seconds)
    better = found is not None and problem.cost([*kept, *found]) < cost
    return ([*kept, *found] if found is not None and better else None), False
