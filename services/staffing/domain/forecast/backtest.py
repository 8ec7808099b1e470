"""Rolling origin: at each past day, forecast the days after it from what was known then, and compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.staffing.domain.forecast.baselines import BASELINES, Baseline
from services.staffing.domain.forecast.days import Kinds, OpenDays, ordinary
from services.staffing.domain.forecast.history import Array, History
from services.staffing.domain.forecast.model import expect

WARM_UP: Final = 25
"""Open days before the first origin."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecasts of `history`'s days from each earlier origin.

    `made[lag - 1]` is days × slots: the forecast of each day made `lag` open days before, not a number where the origin
    would lie before `first`.
    """

    history: History
    made: Array

    @property
    def most(self) -> int:
        """The longest lag."""
        return int(self.made.shape[0])

    def at(self, lag: int) -> Array:
        """Forecasts made `lag` open days ahead, days × slots."""
        return np.asarray(self.made[lag - 1])

    def until(self, count: int) -> Backtest:
        """As it stood after the first `count` days: nothing later is seen."""
        return Backtest(self.history.until(count), self.made[:, :count])

    def wape(self, lag: int, last: int) -> float:
        """Weighted absolute percentage error over the last days, %: sum of absolute errors by sum of contacts."""
        return wape(self.at(lag)[-last:], self.history.counts[-last:])


def backtest(history: History, lags: int, *, kinds: Kinds = ordinary, origins: int = 60) -> Backtest:
    """Forecast from each of the last `origins` days up to `lags` open days ahead; a short history has none."""
    days, slots = history.counts.shape
    made = np.full((lags, days, slots), np.nan)
    for origin in range(max(WARM_UP, days - origins), days):
        ahead = history.days[origin : origin + lags]
        known = history.until(origin)
        # the calendar knows the open days ahead: that is what it is for
        found = expect(known, ahead, OpenDays.learn(history.days, kinds))
        for lag, row in enumerate(found.contacts):
            made[lag, origin + lag] = row
    return Backtest(history, made)


def plain(history: History, baseline: Baseline, lag: int, last: int) -> float:
    """WAPE of a baseline over the last days, made `lag` open days ahead, %."""
    rows = range(len(history.days) - last, len(history.days))
    made = np.array([baseline(history.until(row - lag + 1), history.days[row]) for row in rows])
    return wape(made, history.counts[-last:])


def plain_table(history: History, lag: int, last: int) -> dict[str, float]:
    """WAPE of every baseline by name, %."""
    return {name: plain(history, baseline, lag, last) for name, baseline in BASELINES.items()}


def wape(made: Array, came: Array) -> float:
    """Weighted absolute percentage error, %; not a number when nothing came."""
    total = came.sum()
    return float(100 * np.abs(made - came).sum() / total) if total else float("nan")
