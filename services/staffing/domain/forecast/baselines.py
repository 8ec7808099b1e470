"""The plain forecasts that any other has to beat, in the same table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

import numpy as np

from services.staffing.domain.forecast.history import Array, History

Baseline = Callable[[History, date], Array]


def seasonal_naive(history: History, day: date) -> Array:
    """What came on the last such weekday."""
    return np.asarray(_same(history, day)[-1])


def mean_of_four(history: History, day: date) -> Array:
    """The mean of the last four such weekdays."""
    return np.asarray(_same(history, day)[-4:].mean(axis=0))


def smoothed_level(history: History, day: date) -> Array:
    """The weekday's mean shape and share of the week, times an exponentially smoothed level (0.2 a day)."""
    weekdays = np.array([one.weekday() for one in history.days])
    totals = history.totals
    factors = np.ones(7)
    for weekday in set(weekdays.tolist()):
        factors[weekday] = totals[weekdays == weekday].mean() / totals.mean()
    weights = 0.8 ** np.arange(len(totals))[::-1]
    level = float(np.average(totals / factors[weekdays], weights=weights))
    shape = _same(history, day).mean(axis=0)
    return np.asarray(shape / shape.sum() * level * factors[day.weekday()])


BASELINES: Final[Mapping[str, Baseline]] = MappingProxyType(
    {
        "seasonal naive": seasonal_naive,
        "mean of the last four same weekdays": mean_of_four,
        "weekday profile × smoothed level": smoothed_level,
    }
)


def _same(history: History, day: date) -> Array:
    """Days of the same weekday; all days where there is none yet."""
    rows = [n for n, one in enumerate(history.days) if one.weekday() == day.weekday()]
    return np.asarray(history.counts[rows] if rows else history.counts)
