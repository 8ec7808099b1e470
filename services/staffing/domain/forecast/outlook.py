"""A queue's outlook: rest of today and the open days ahead, with quantiles, and how well such outlooks did before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np

from services.staffing.domain.forecast.backtest import WARM_UP, Backtest, backtest, plain_table
from services.staffing.domain.forecast.days import Kinds, OpenDays
from services.staffing.domain.forecast.events import Event, applied, learn
from services.staffing.domain.forecast.history import Array, History
from services.staffing.domain.forecast.model import expect
from services.staffing.domain.forecast.spread import Spread, quantiles, spread

LAGS: Final = (1, 5, 10)
"""Days ahead at which accuracy is shown."""


@dataclass(frozen=True, slots=True)
class Today:
    """A day that has begun: contacts of the slots that ended."""

    day: date
    came: Array


@dataclass(frozen=True, slots=True)
class Interval:
    """One slot of the outlook; `handling` in seconds a contact, None where no handling times are known."""

    start: datetime
    mean: float
    quantiles: tuple[float, ...]
    handling: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Error over the last days of the history of forecasts made `lag` open days ahead, beside the plain ones, %."""

    lag: int
    days: int
    wape: float
    plain: dict[str, float]
    covered: float
    """Share of intervals inside the 80 % interval, %."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Intervals in order of time."""

    intervals: tuple[Interval, ...]
    accuracy: tuple[Accuracy, ...]


def outlook(
    history: History,
    horizon: int,
    *,
    kinds: Kinds,
    today: Today | None = None,
    events: Sequence[Event] = (),
    shares: tuple[float, ...] = (0.1, 0.5, 0.9),
) -> Outlook:
    """Forecast the rest of today, if it has begun, and `horizon` open days. Raises HistoryTooShortError."""
    open_days = OpenDays.learn(history.days, kinds)
    learnt = learn(history, events, open_days)
    test = backtest(learnt.plain, min(max(horizon, LAGS[-1]), len(history.days)), kinds=kinds)
    begun = (today.day,) if today else ()
    days = (*begun, *open_days.following(begun[0] if begun else history.days[-1], horizon))
    expected = expect(learnt.plain, days, open_days)
    contacts, doubt = applied(learnt, days, expected.contacts, events)
    intervals: list[Interval] = []
    for number, day in enumerate(days):
        errors = spread(test, min(number + 1, test.most))
        mean, variance, first = contacts[number], np.diag(errors.covariance), 0
        if today and number == 0:
            first = len(today.came)
            mean, variance = errors.updated(mean, today.came)
        found = quantiles(mean, variance + doubt[number, first:], shares)
        intervals += _intervals(history, day, first, mean, found, expected.handling[number, first:])
    return Outlook(tuple(intervals), tuple(accuracy(test)))


def _intervals(history: History, day: date, first: int, mean: Array, found: Array, handling: Array) -> list[Interval]:
    return [
        Interval(
            start=history.start(day, first + slot),
            mean=float(mean[slot]),
            quantiles=tuple(float(value) for value in found[:, slot]),
            handling=float(handling[slot]) if np.isfinite(handling[slot]) else None,
        )
        for slot in range(len(mean))
        if mean[slot] > 0
    ]


def accuracy(test: Backtest, most: int = 40) -> list[Accuracy]:
    """The table of accuracy over up to `most` last days; empty for a history too short to test on."""
    return [
        Accuracy(lag, last, test.wape(lag, last), plain_table(test.history, lag, last), covered(test, lag, last))
        for lag in LAGS
        if lag <= test.most and (last := min(most, len(test.history.days) - WARM_UP - lag + 1)) > 0
    ]


def covered(test: Backtest, lag: int, last: int) -> float:
    """Share of the last days' intervals within their 80 % interval, %, each day's spread learnt before its origin."""
    days = len(test.history.days)
    hits = [_within(test, spread(test.until(row - lag + 1), lag), lag, row) for row in range(days - last, days)]
    return float(100 * np.mean(hits))


def _within(test: Backtest, errors: Spread, lag: int, row: int) -> float:
    made, came = test.at(lag)[row], test.history.counts[row]
    low, high = errors.quantiles(made, (0.1, 0.9))
    return float(((came >= low) & (came <= high)).mean())
