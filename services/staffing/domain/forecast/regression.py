"""Gaussian-process regression on days: a level that wanders, the weekday, the month, the calendar's effects.

The same structural decomposition as a state-space model (Harvey 1989), solved as one linear system
(Rasmussen & Williams 2006, ch. 2): closed days are simply absent, and the forecast of a day far ahead falls back to
the long-run level by itself. The scales are priors in log units, not fitted: docs/domain/staffing-maths.md shows how
little they matter.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.staffing.domain.forecast.days import Facts
from services.staffing.domain.forecast.history import Array

MOST_DAYS: Final = 500
"""Days that a fit looks back; two years of weekdays, and a solve of milliseconds."""
_T_DEGREES: Final = 4.0
_ROUNDS: Final = 2
_LIVELINESS: Final = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Priors:
    """Standard deviations of each part, as shares of the level; lengths in open days."""

    weekday: float
    month: float
    level: float
    memory: float
    drift: float
    effect: float
    noise: float
    constant: float = 1.0
    month_width: float = 1.2
    drift_memory: float = 3.0


TOTALS: Final = Priors(weekday=0.2, month=0.06, level=0.04, memory=20, drift=0.025, effect=0.1, noise=0.035)
SHAPES: Final = Priors(
    weekday=0.05, month=0.015, level=0.04, memory=20, drift=0.0, effect=0.03, noise=0.06, constant=0.05
)


def covariance(a: Facts, b: Facts, priors: Priors) -> Array:
    """Prior covariance between two rows of days."""
    apart = np.abs(a.order[:, None] - b.order[None, :])
    month = np.sin(np.pi * (a.month[:, None] - b.month[None, :])) / priors.month_width
    return np.asarray(
        priors.constant**2
        + priors.weekday**2 * (a.classes[:, None] == b.classes[None, :])
        + priors.month**2 * np.exp(-2 * month**2)
        + priors.level**2 * np.exp(-apart / priors.memory)
        + priors.drift**2 * np.exp(-apart / priors.drift_memory)
        + priors.effect**2 * (a.effects @ b.effects.T)
    )


def predict(known: Facts, values: Array, ahead: Facts, priors: Priors, noise: Array) -> Array:
    """Expected values on the days ahead; `values` is days or days × series, `noise` the variance of each day."""
    gain = np.linalg.solve(covariance(known, known, priors) + np.diag(noise), values)
    return np.asarray(covariance(ahead, known, priors) @ gain)


def liveliest(known: Facts, values: Array, priors: Priors, noise: Array) -> Priors:
    """The priors with the level as lively as the history says: the multiple of greatest marginal likelihood."""
    candidates = [dataclasses.replace(priors, level=priors.level * by, drift=priors.drift * by) for by in _LIVELINESS]
    return max(candidates, key=lambda one: _likelihood(covariance(known, known, one) + np.diag(noise), values))


def _likelihood(spread: Array, values: Array) -> float:
    """Logarithm of the Gaussian density, without its constant."""
    root = np.linalg.cholesky(spread)
    return float(-0.5 * (np.linalg.solve(root, values) ** 2).sum() - np.log(np.diag(root)).sum())


def robust_noise(known: Facts, values: Array, priors: Priors, noise: Array) -> Array:
    """Noise with odd days discounted: Student's t with 4 degrees of freedom by reweighting leave-one-out residuals."""
    prior = covariance(known, known, priors)
    found = noise
    for _ in range(_ROUNDS):
        inverse = np.linalg.inv(prior + np.diag(found))
        alone = inverse @ values / np.diag(inverse)
        weight = (_T_DEGREES + 1) / (_T_DEGREES + alone**2 * np.diag(inverse))
        found = noise / np.minimum(weight, 1.0)
    return found
