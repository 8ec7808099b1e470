"""Contacts of the days ahead: the day's total times the day's shape, each by regression on days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.staffing.domain.forecast.days import Facts, OpenDays, facts
from services.staffing.domain.forecast.history import Array, History
from services.staffing.domain.forecast.regression import (
    MOST_DAYS,
    SHAPES,
    TOTALS,
    Priors,
    liveliest,
    predict,
    robust_noise,
)

LEAST_DAYS: Final = 10
"""Fewer open days than this say nothing about weekdays: no forecast."""
_HALF_LIFE: Final = 60.0
_SHAPE_PRIOR_DAYS: Final = 1.0
_ODD_SHAPE: Final = 5.0
_SMOOTH: Final = np.array([1, 2, 3, 2, 1]) / 9
_HANDLING: Final = Priors(weekday=0.05, month=0.01, level=0.05, memory=20, drift=0.02, effect=0.03, noise=0.03)
_HANDLING_CV2: Final = 1.0
_HANDLING_PRIOR_CONTACTS: Final = 200.0


class HistoryTooShortError(ValueError):
    """Fewer open days than LEAST_DAYS."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect: contacts (days × slots) and seconds of handling a contact (likewise, not a number if unknown)."""

    days: tuple[date, ...]
    contacts: Array
    handling: Array


def expect(history: History, ahead: Sequence[date], open_days: OpenDays) -> Expected:
    """Forecast open days that are not in the history, after it or within. Raises HistoryTooShortError."""
    if len(history.days) < LEAST_DAYS:
        raise HistoryTooShortError(f"{len(history.days)} open days of history; at least {LEAST_DAYS} are needed")
    recent = history.since(max(0, len(history.days) - MOST_DAYS))
    days = sorted({*recent.days, *ahead})
    row = facts(days, open_days)
    place = {day: number for number, day in enumerate(days)}
    known, coming = (row[np.array([place[day] for day in part])] for part in (recent.days, ahead))
    totals = np.maximum(recent.totals, 0.5)
    contacts = _totals(known, totals, coming)[:, None] * _shapes(known, recent.counts, coming)
    return Expected(tuple(ahead), contacts, _handling(known, recent, coming))


def _totals(known: Facts, totals: Array, ahead: Facts) -> Array:
    level = np.log(totals).mean()
    values = np.log(totals) - level
    counting = TOTALS.noise**2 + 1 / totals
    priors = liveliest(known, values, TOTALS, counting)
    noise = robust_noise(known, values, priors, counting)
    return np.asarray(np.exp(level + predict(known, values, ahead, priors, noise)))


def _shapes(known: Facts, counts: Array, ahead: Facts) -> Array:
    """Share of each slot in a day, rows sum to one."""
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 0.5)
    share = counts / totals
    age = known.order[-1] - known.order
    weight = 0.5 ** (age / _HALF_LIFE)
    common = _mean(share, weight)
    bases = {int(kind): _base(share, weight * (known.classes == kind), common) for kind in np.unique(known.classes)}
    past = np.array([bases[int(kind)] for kind in known.classes])
    apart = np.divide(share, past, out=np.ones_like(share), where=past > 0) - 1
    odd = (apart**2 * past).sum(axis=1) * totals[:, 0] / share.shape[1]  # chi-square a slot
    noise = SHAPES.noise**2 * np.maximum(1, odd / max(float(np.median(odd)), 1e-9) / _ODD_SHAPE)
    moved = _smoothed(predict(known, apart, ahead, SHAPES, noise))
    coming = np.array([bases.get(int(kind), common) for kind in ahead.classes]) * np.maximum(1 + moved, 0.05)
    return np.asarray(coming / coming.sum(axis=1, keepdims=True))


def _base(share: Array, weight: Array, common: Array) -> Array:
    """A class of days' own mean shape, drawn towards the common one; closed slots stay closed."""
    opened = np.any(share * weight[:, None] > 0, axis=0)
    mixed = ((share * weight[:, None]).sum(axis=0) + _SHAPE_PRIOR_DAYS * common) / (weight.sum() + _SHAPE_PRIOR_DAYS)
    return np.where(opened, mixed, 0.0)


def _mean(share: Array, weight: Array) -> Array:
    return np.asarray((share * weight[:, None]).sum(axis=0) / weight.sum())


def _smoothed(rows: Array) -> Array:
    """Neighbouring slots drawn together; a day shorter than the window is left as it is."""
    if rows.shape[1] < len(_SMOOTH):
        return rows
    half = len(_SMOOTH) // 2
    padded = np.pad(rows, ((0, 0), (half, half)), mode="edge")
    return np.array([np.convolve(row, _SMOOTH, "valid") for row in padded])


def _handling(known: Facts, recent: History, ahead: Facts) -> Array:
    """Seconds a contact: the day's level by regression, times the slot's own ratio, shrunk where contacts are few."""
    work = np.where(np.isfinite(recent.handling), recent.handling, 0.0) * recent.counts
    timed = np.where(np.isfinite(recent.handling), recent.counts, 0.0)
    days = np.flatnonzero(timed.sum(axis=1) > 0)
    if days.size < LEAST_DAYS:
        return np.full((len(ahead.order), recent.counts.shape[1]), np.nan)
    mean = work[days].sum(axis=1) / timed[days].sum(axis=1)
    level = np.log(mean).mean()
    noise = _HANDLING.noise**2 + _HANDLING_CV2 / timed[days].sum(axis=1)
    noise = robust_noise(known[days], np.log(mean) - level, _HANDLING, noise)
    daily = np.exp(level + predict(known[days], np.log(mean) - level, ahead, _HANDLING, noise))
    weight = 0.5 ** ((known.order[-1] - known.order[days]) / _HALF_LIFE)[:, None]
    relative, number = (weight * work[days] / mean[:, None]).sum(axis=0), (weight * timed[days]).sum(axis=0)
    ratio = (relative + _HANDLING_PRIOR_CONTACTS) / (number + _HANDLING_PRIOR_CONTACTS)
    return np.asarray(daily[:, None] * ratio)
