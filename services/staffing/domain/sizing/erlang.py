"""Closed forms of M/M/n (Erlang B and C) and M/M/n+M (Erlang A), for arrays of cases at once.

Erlang A after Mandelbaum & Zeltyn, "Service engineering in action: the Palm/Erlang-A queue" (2007), written with
incomplete gamma functions so that n and the loads may be real. Everything is checked against published values in
tests/unit/staffing/test_erlang.py and against the simulation of this folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]

_TINY: Final = 1e-280


@dataclass(frozen=True, slots=True)
class Load:
    """Cases to judge, arrays of one shape. `arrivals` a second, `handling` and `patience` seconds (inf: nobody leaves).

    `spread` is the squared coefficient of variation of the handling time: 1 exponential, 0 constant.
    """

    arrivals: Array
    handling: Array
    patience: Array
    spread: Array

    @classmethod
    def of(
        cls, arrivals: ArrayLike, handling: ArrayLike, patience: ArrayLike = np.inf, spread: ArrayLike = 1.0
    ) -> Load:
        """From numbers or arrays, broadcast to one shape."""
        values = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (arrivals, handling, patience, spread)))
        return cls(*values)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int_]) -> Load:
        return Load(self.arrivals[rows], self.handling[rows], self.patience[rows], self.spread[rows])

    @property
    def erlangs(self) -> Array:
        """Offered load: contacts in service if nobody ever waited."""
        return np.asarray(self.arrivals * self.handling)


@dataclass(frozen=True, slots=True)
class Performance:
    """What customers and people get; shares from 0 to 1, `wait` in seconds."""

    waits: Array
    """Share of contacts that wait at all."""
    abandoned: Array
    wait: Array
    """Mean wait of all, whatever the outcome."""
    occupancy: Array
    """Share of capacity in use."""
    of_offered: Array
    """Answered in time, of all offered."""
    of_answered: Array
    """Answered in time, of those answered."""
    any_outcome: Array
    """No longer in the queue in time, answered or gone."""

    def level(self, definition: str) -> Array:
        """The service level under one of its names: offered, answered or any."""
        return {"offered": self.of_offered, "answered": self.of_answered, "any": self.any_outcome}[definition]


def erlang_b(servers: ArrayLike, erlangs: ArrayLike) -> Array:
    """Share blocked in M/M/n/n, for real n too."""
    n, a = np.asarray(servers, dtype=float), np.asarray(erlangs, dtype=float)
    with np.errstate(divide="ignore"):
        density = np.exp(n * np.log(a) - a - special.gammaln(n + 1))
    return np.asarray(density / np.maximum(special.gammaincc(n + 1, a), _TINY))


def erlang_c(servers: ArrayLike, erlangs: ArrayLike) -> Array:
    """Share that waits in M/M/n; 1 where the load is at least the capacity."""
    n, a = np.asarray(servers, dtype=float), np.asarray(erlangs, dtype=float)
    blocked = erlang_b(n, a)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = blocked / (1 - a / n * (1 - blocked))
    return np.where(a < n, np.minimum(found, 1.0), 1.0)
