"""How far forecasts miss: the covariance of their relative errors between slots, quantiles, and today's update.

What a forecast made `lag` days ahead will miss is learnt from what such forecasts missed in the back-test, less what
counting alone makes (Poisson), drawn towards a smooth prior where there are few days to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from services.staffing.domain.forecast.backtest import Backtest
from services.staffing.domain.forecast.history import Array

_PRIOR_DAYS: Final = 40.0
_COMMON: Final = 0.02
_LOCAL: Final = 0.03
_LENGTH_MINUTES: Final = 300.0
_ODD: Final = 0.10
"""Relative errors beyond this count as this: a storm or a black-out says little about tomorrow."""
_ODDER: Final = 0.5
_LEAST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Spread:
    """Covariance of relative errors of the mean between the slots of a day, slots × slots, counting noise excluded."""

    covariance: Array

    def variance(self, contacts: Array) -> Array:
        """Variance of what will come, given the expected contacts of one day: Poisson plus the forecast's own error."""
        return np.asarray(contacts + contacts**2 * np.diag(self.covariance))

    def quantiles(self, contacts: Array, shares: tuple[float, ...]) -> Array:
        """Quantiles of what will come, shares × slots: negative binomial with that variance."""
        return quantiles(contacts, np.diag(self.covariance), shares)

    def updated(self, contacts: Array, came: Array) -> tuple[Array, Array]:
        """Contacts expected of the slots after those that came, and the variance left of their relative error.

        The relative errors of a day are jointly Gaussian: those of the first slots are known up to counting noise, the
        others are conditioned on them.
        """
        seen = len(came)
        mean = np.maximum(contacts, _LEAST)
        noisy = self.covariance[:seen, :seen] + np.diag(1 / np.maximum(mean[:seen], 0.1))
        error = np.clip(came / mean[:seen] - 1, -_ODDER, _ODDER)
        gain = np.linalg.solve(noisy, self.covariance[:seen, seen:]).T
        left = np.diag(self.covariance[seen:, seen:] - gain @ self.covariance[:seen, seen:])
        return np.asarray(mean[seen:] * np.exp(gain @ error)), np.maximum(left, 0.0)


def spread(test: Backtest, lag: int) -> Spread:
    """The spread of forecasts made `lag` days ahead, from every day of the back-test that has one."""
    made, came = test.at(lag), test.history.counts
    rows = np.isfinite(made).all(axis=1)
    slots = np.arange(made.shape[1]) * test.history.minutes
    apart = np.abs(slots[:, None] - slots[None, :])
    prior = _COMMON**2 + _LOCAL**2 * np.exp(-apart / _LENGTH_MINUTES)
    number = int(rows.sum())
    if not number:
        return Spread(prior)
    mean = np.maximum(made[rows], _LEAST)
    errors = np.clip(came[rows] / mean - 1, -_limit(mean), _limit(mean))
    own = errors.T @ errors / number - np.diag((1 / np.maximum(mean, 0.1)).mean(axis=0))
    mixed = (number * own + _PRIOR_DAYS * prior) / (number + _PRIOR_DAYS)
    values, vectors = np.linalg.eigh(mixed)
    return Spread(np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T))


def quantiles(contacts: Array, relative_variance: Array, shares: tuple[float, ...]) -> Array:
    """Quantiles of a count with this mean and mean + mean² × relative variance, shares × slots."""
    mean = np.maximum(contacts, _LEAST)
    size = 1 / np.maximum(relative_variance, _LEAST)
    return np.array([stats.nbinom.ppf(share, size, size / (size + mean)) for share in shares])


def _limit(mean: Array) -> Array:
    """An error is odd beyond _ODD and three standard deviations of counting."""
    return np.asarray(np.maximum(_ODD, 3 / np.sqrt(np.maximum(mean, 0.1))))
