"""What the closed forms miss when handling times are not exponential, fitted to simulations.

The log-odds of a share are moved by a cubic polynomial in slots, patience, load and threshold, times how far cv² is
from 1; exponential handling, where Erlang A is exact, is left alone. `make staffing-model` simulates the cases, fits
and writes correction.json; `kefu staff validate` judges the result on cases that the fit never saw.
"""

from __future__ import annotations

import itertools
import json
from functools import lru_cache
from importlib import resources
from typing import Final

import numpy as np

from services.staffing.domain.sizing.erlang import Array, Load

SHARES: Final = ("of_offered", "abandoned", "any_outcome")
DEGREE: Final = 3
_EDGE: Final = 1e-9


def features(load: Load, slots: Array, within: Array) -> Array:
    """Regressors of each case, cases × columns; outside the region that was simulated they stay at its edge."""
    bent = (load.spread - 1) / (load.spread + 1)
    four = np.broadcast_arrays(
        np.clip(np.log(np.maximum(slots, 1)) / 3 - 1, -0.8, 1.25),
        np.clip(np.log(load.patience / load.handling) / 2, -2, 1.2),
        np.clip((load.erlangs / slots - 1) * 3, -1.5, 1.05),
        np.clip(np.log(np.maximum(within, 1e-3) * slots / load.handling) / 3, -2, 2),
    )
    columns = [np.ones_like(four[0])]
    for degree in range(1, DEGREE + 1):
        columns += [np.prod(part, axis=0) for part in itertools.combinations_with_replacement(four, degree)]
    plane = np.stack(columns, axis=-1)
    # above 1 the simulated handling is log-normal, which differs from the exponential also as cv² comes down to 1
    by = (np.minimum(bent, 0), np.maximum(bent, 0), np.asarray(bent > 0, dtype=float))
    return np.concatenate([plane * one[..., None] for one in by], axis=-1)


def corrected(load: Load, slots: Array, within: Array, shares: dict[str, Array]) -> dict[str, Array]:
    """The shares of Erlang A, by name, with what simulations add to them; unchanged where cv² is 1."""
    rows = np.broadcast_to(load.spread != 1, np.broadcast(slots, within, load.arrivals).shape)
    if not rows.any():
        return shares
    plane = features(load, slots, within)
    return {name: np.where(rows, moved(share, plane @ coefficients()[name]), share) for name, share in shares.items()}


def moved(share: Array, by: Array) -> Array:
    """A share with its log-odds moved."""
    return np.asarray(1 / (1 + np.exp(-(log_odds(share) + by))))


def log_odds(share: Array) -> Array:
    """Log-odds of a share, finite at 0 and 1."""
    safe = np.clip(share, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(safe / (1 - safe)))


@lru_cache(maxsize=1)
def coefficients() -> dict[str, Array]:
    """The fitted coefficients by share."""
    text = resources.files(__package__).joinpath("correction.json").read_text(encoding="utf-8")
    return {name: np.array(values) for name, values in json.loads(text).items()}
