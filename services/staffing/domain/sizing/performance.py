"""What a number of people achieves: answered in time under its three names, abandonment, wait and occupancy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from services.staffing.domain.sizing.correction import corrected
from services.staffing.domain.sizing.erlang import Array, Load, Performance, erlang_b, erlang_c

_TINY: Final = 1e-280
_ENDLESS: Final = 1e5
"""Patience of so many handling times is endless: Erlang C."""
_FEWEST: Final = 1e-12
_SHORT_PATIENCE: Final = 2.0


def performance(load: Load, slots: ArrayLike, within: ArrayLike, *, correct: bool = True) -> Performance:
    """Steady state of each case with so many contacts served at a time; `within` in seconds.

    Slots are people times the contacts that each serves at a time; the handling time is that of a contact served so.
    `correct` adds what simulations say of handling times that are not exponential.
    """
    n, t = np.asarray(slots, dtype=float), np.asarray(within, dtype=float)
    patient = load.patience > _ENDLESS * load.handling
    if not patient.any():
        return _impatient(load, n, t, correct=correct)
    if patient.all():
        return _patient(load, n, t)
    return _merged(patient, _patient(load, n, t), _impatient(load, n, t, correct=correct))


def _patient(load: Load, n: Array, t: Array) -> Performance:
    """Erlang C; everybody waits for ever where the load is at least the capacity."""
    a = load.erlangs
    waits = erlang_c(n, a)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (n - a) / load.handling / _spread(load)
        late = np.where(a < n, waits * np.exp(-np.maximum(rate, 0) * t), 1.0)
        wait = np.where(a < n, waits / rate, np.inf)
    level = np.asarray(1 - late)
    return Performance(waits, np.zeros_like(waits), wait, np.minimum(a / n, 1.0), level, level, level)


def _impatient(load: Load, n: Array, t: Array, *, correct: bool) -> Performance:
    """Erlang A; x is the capacity and y the arrivals per patience, both divided by the spread's effect on the queue."""
    patience = np.minimum(load.patience, _ENDLESS * load.handling)
    spread = _spread(load)
    x, y = n * patience / load.handling / spread, np.maximum(load.arrivals, _FEWEST) * patience / spread
    ratio = y / x
    below = special.gammainc(x, y)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # the density of the gamma law at y, times y / x: what gammainc(x, y) has above gammainc(x + 1, y)
        density = np.exp(x * np.log(y) - y - special.gammaln(x + 1))
        inverse = np.where(below > _TINY, density / below, np.maximum(1 - ratio, 0.0))
        later = y * np.exp(-t / patience)
        tail, tail1 = special.gammainc(x, later), special.gammainc(x + 1, later)
        # where gammainc vanishes the queue is almost Erlang C's: the leading term of its expansion for y below x
        almost = np.exp(np.minimum(y - later - x * t / patience, 0.0)) * (x - y) / (x - later)
        still = np.where(below > _TINY, tail / np.maximum(below, _TINY), almost)
        intime = np.where(below > _TINY, (below - density - tail1) / np.maximum(below, _TINY) / ratio, 1 - almost)
    blocked = erlang_b(n, load.erlangs)
    waits = blocked / (blocked + (1 - blocked) * inverse)
    few = waits * load.handling * spread / np.maximum(n - load.erlangs, _TINY) / patience
    share = np.where(below > _TINY, waits * (inverse / ratio + 1 - 1 / ratio), few)
    abandoned = np.clip(share, 0.0, 1.0)
    shares = {
        "abandoned": abandoned,
        "of_offered": 1 - waits + waits * np.clip(intime, 0.0, 1.0),
        "any_outcome": 1 - waits * still * np.exp(-t / patience),
    }
    if correct:
        shares = corrected(load, n, t, shares)
    answered = np.maximum(1 - shares["abandoned"], _TINY)
    return Performance(
        waits=waits,
        wait=shares["abandoned"] * patience,
        occupancy=load.erlangs * answered / n,
        of_answered=np.minimum(shares["of_offered"] / answered, 1.0),
        **shares,
    )


def _spread(load: Load) -> Array:
    """How much longer a queue gets by the handling time's variability: 1 at cv² = 1.

    Without abandonment (1 + cv²) / 2, as in the approximation of Lee & Longton (1959); the shorter the patience beside
    the handling time, the less it matters: a queue that lives less than a handling time sees departures like those of a
    Poisson stream. The form is ours, fitted to simulations; corrected() takes most of what it leaves.
    """
    return np.asarray(1 + (load.spread - 1) / 2 / (1 + _SHORT_PATIENCE * load.handling / load.patience))


def _merged(rows: NDArray[np.bool_], a: Performance, b: Performance) -> Performance:
    return Performance(*(np.where(rows, getattr(a, one), getattr(b, one)) for one in Performance.__slots__))
