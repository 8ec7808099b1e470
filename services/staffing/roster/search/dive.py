"""Diving: rosters of the relaxation are made final one by one, the others generated again around them."""

from __future__ import annotations

from typing import Final

import numpy as np

from services.staffing.roster.problem import Roster
from services.staffing.roster.search.generation import Generation

AT_ONCE: Final = 30
"""One roster is made final at a time, and one more for so many people that are still open."""


def dive(
    generation: Generation, random: np.random.Generator, *, below: float = np.inf, enough: float = 0.5
) -> list[Roster] | None:
    """Rosters of everybody; None where the relaxation shows that none costs less than `below`, or when stopped.

    Takes every roster with a share of one, or else the largest share, a random one among the nearly largest.
    """
    master = generation.master
    while master.open.any():
        generated = generation.run(enough=enough)
        relaxed = generated.relaxed
        if generation.stop() or np.ceil(generated.bound - 1e-6) >= below:
            return None
        chosen = np.flatnonzero(relaxed.shares > 0.999)
        if not len(chosen):
            near = np.flatnonzero(relaxed.shares >= 0.9 * relaxed.shares.max())
            chosen = random.choice(near, min(len(near), 1 + int(master.open.sum()) // AT_ONCE), replace=False)
        for column in chosen:
            if master.open[master.rosters[column].kind]:
                master.fix(int(column))
    return master.final
