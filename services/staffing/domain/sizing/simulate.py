"""Discrete-event simulation of one queue, first come first served, with patience: what the closed forms are checked by.

One pass over the arrivals, hundreds of independent replications side by side (Kiefer & Wolfowitz 1955, with
abandonment): an arrival finds the time at which the first slot is free; whoever would wait longer than their patience
leaves. SimPy and Ciw step through one replication in Python, too slow to check every answer; see bench-staffing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CONTACTS: Final = 400_000
_LEAST_REPLICATIONS: Final = 100
_WARM_UP: Final = 8.0
_RELAXATIONS: Final = 4.0
_SLOWEST: Final = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """One queue: `slots` contacts at a time, `arrivals` a second, times in seconds; `spread` is cv² of handling."""

    arrivals: float
    handling: float
    patience: float
    slots: int
    spread: float = 1.0
    within: float = 20.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """Shares from 0 to 1 and the mean wait in seconds; `error` is the standard error of `of_offered`."""

    waits: float
    abandoned: float
    wait: float
    occupancy: float
    of_offered: float
    of_answered: float
    any_outcome: float
    error: float
    contacts: int


def simulate(case: Case, *, seed: int = 1, contacts: int = _CONTACTS) -> Simulated:
    """Simulate some `contacts` in steady state; the same seed gives the same answer."""
    random = np.random.default_rng(seed)
    warm = math.ceil(_warm_up(case) * case.arrivals) + 5 * case.slots
    replications = max(_LEAST_REPLICATIONS, contacts // max(warm, 1_000))
    counted = math.ceil(contacts / replications)
    free = np.zeros((case.slots, replications))
    row, now = np.arange(replications), np.zeros(replications)
    sums, firsts = np.zeros((6, replications)), np.zeros(replications)
    for number in range(warm + counted):
        now += random.exponential(1 / case.arrivals, replications)
        service = _handling(random, case, replications)
        patience = random.exponential(case.patience, replications) if math.isfinite(case.patience) else math.inf
        slot = free.argmin(axis=0)
        wait = np.maximum(free[slot, row] - now, 0.0)
        served = wait <= patience
        free[slot, row] = np.where(served, now + wait + service, free[slot, row])
        if number < warm:
            firsts = now.copy()
            continue
        waited = np.minimum(wait, patience)
        intime = waited <= case.within
        sums += (wait > 0, ~served, waited, served * service, served & intime, intime)
    return _judged(case, sums, counted, now - firsts)


def _warm_up(case: Case) -> float:
    """Seconds until the start is forgotten: some handling times, and relaxations of a queue that few leave."""
    apart = math.sqrt(case.slots) - math.sqrt(case.arrivals * case.handling)
    slow = min(case.patience / case.handling, 1 / apart**2 if apart > 0 else math.inf, _SLOWEST)
    return case.handling * (_WARM_UP + _RELAXATIONS * slow)


def _handling(random: np.random.Generator, case: Case, number: int) -> Array:
    """Handling times with the mean and the cv² asked for: gamma below 1, log-normal above, exponential at 1."""
    if case.spread == 0:
        return np.full(number, case.handling)
    if case.spread <= 1:
        return random.gamma(1 / case.spread, case.handling * case.spread, number)
    sigma2 = math.log1p(case.spread)
    return random.lognormal(math.log(case.handling) - sigma2 / 2, math.sqrt(sigma2), number)


def _judged(case: Case, sums: Array, counted: int, seconds: Array) -> Simulated:
    waits, gone, wait, work, good, intime = sums / counted
    answered = 1 - float(gone.mean())
    return Simulated(
        waits=float(waits.mean()),
        abandoned=float(gone.mean()),
        wait=float(wait.mean()),
        occupancy=float((work * counted).sum() / seconds.sum() / case.slots),
        of_offered=float(good.mean()),
        of_answered=float(good.mean()) / answered if answered else float("nan"),
        any_outcome=float(intime.mean()),
        error=float(good.std(ddof=1) / math.sqrt(len(good))),
        contacts=counted * len(good),
    )
