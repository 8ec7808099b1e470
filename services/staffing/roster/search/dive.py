"""Diving: rosters of the relaxation are made final one by one, the others generated again around them."""

from __future__ import annotations

import numpy as np

from services.staffing.roster.problem import Roster
from services.staffing.roster.search.generation import Generation


def dive(
    generation: Generation, random: np.random.Generator, *, below: float = np.inf, enough: float = 1e-3
) -> list[Roster] | None:
    """Rosters of everybody; None where the relaxation shows that none costs less than `below`, or when stopped.

    Takes every roster with a share of one, or else the largest share, a random one among the nearly largest.
    """
    master, people = generation.master, len(generation.problem.people)
    while len(master.final) < people:
        relaxed = generation.run(enough=enough).relaxed
        if generation.stop() or np.ceil(relaxed.value - 1e-6) >= below:
            return None
        settled = {one.person for one in master.final}
        open_ = np.array([one.person not in settled for one in master.rosters])
        shares = np.where(open_, relaxed.shares, 0.0)
        chosen = np.flatnonzero(shares > 0.999)
        if not len(chosen):
            chosen = random.choice(np.flatnonzero(shares >= 0.9 * shares.max()), 1)
        for column in chosen:
            master.fix(int(column))
    return master.final
