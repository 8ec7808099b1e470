"""A queue made up for tests: weekdays 9 to 17 by quarter hour, Mondays busier, noise as counting has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from services.policy.calendar import DayKind
from services.staffing.domain.forecast.history import Array, History

FIRST = date(2026, 3, 2)
"""A Monday."""
SLOTS = tuple(range(9 * 60, 17 * 60, 15))
WEEKDAYS = (1.3, 1.1, 1.0, 0.95, 0.9)
LEVEL = 2_000.0


def weekdays(number: int, *, closed: frozenset[date] = frozenset()) -> tuple[date, ...]:
    """The first open days, Monday to Friday without the closed ones."""
    days = (FIRST + timedelta(days=n) for n in range(3 * number + 10))
    return tuple(day for day in days if day.weekday() < 5 and day not in closed)[:number]


def expected(day: date) -> Array:
    """Contacts by slot that a day stands for."""
    shape = 1 + np.sin(np.linspace(0, np.pi, len(SLOTS)))
    return np.asarray(LEVEL * WEEKDAYS[day.weekday()] * shape / shape.sum())


def history(days: tuple[date, ...], *, seed: int = 1, lift: Callable[[date], float] = lambda _: 1.0) -> History:
    """Counts of those days, Poisson around what they stand for, handled in about 200 seconds."""
    random = np.random.default_rng(seed)
    counts = np.array([random.poisson(expected(day) * lift(day)) for day in days], dtype=float)
    handling = 200 + random.normal(0, 5, counts.shape)
    return History(days, SLOTS, 15, counts, np.where(counts > 0, handling, np.nan))


def holidays(*days: date) -> Callable[[date], DayKind]:
    """A calendar of those holidays alone."""
    return lambda day: DayKind.HOLIDAY if day in days else DayKind.ORDINARY
