"""Events known in advance (a promotion, a live session): what they did to contacts, and what the next one will do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np

from services.staffing.domain.forecast.days import OpenDays
from services.staffing.domain.forecast.history import Array, Bools, History
from services.staffing.domain.forecast.model import LEAST_DAYS, expect

_DOUBT: Final = 0.3
"""Standard deviation of the log of a lift that nothing is known of."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that moves contacts between two local instants; `lift` is the planner's guess, 1.5 for 50 % more."""

    kind: str
    start: datetime
    end: datetime
    lift: float = 1.0

    def touches(self, day: date) -> bool:
        """Whether it lasts into a date."""
        return self.start < datetime.combine(day, time()) + timedelta(days=1) and self.end > datetime.combine(
            day, time()
        )


@dataclass(frozen=True, slots=True)
class Learnt:
    """Logs of the lifts that past events of each kind had, and the history as it would have been without them."""

    plain: History
    lifts: dict[str, tuple[float, ...]]

    def factor(self, event: Event) -> tuple[float, float]:
        """The lift to expect of an event, and the variance of its log: past ones and the guess, each counted once."""
        past = self.lifts.get(event.kind, ())
        mean = (sum(past) + math.log(event.lift)) / (len(past) + 1)
        return math.exp(mean), _DOUBT**2 / (len(past) + 1)


def learn(history: History, events: Sequence[Event], open_days: OpenDays) -> Learnt:
    """Compare past events with what the days without any say.

    A history with fewer than LEAST_DAYS days free of events teaches nothing and is left as it is.
    """
    busy = [n for n, day in enumerate(history.days) if any(event.touches(day) for event in events)]
    free = np.setdiff1d(np.arange(len(history.days)), busy)
    if not busy or free.size < LEAST_DAYS:
        return Learnt(history, {})
    base = dataclasses.replace(
        history,
        days=tuple(history.days[n] for n in free),
        counts=history.counts[free],
        handling=history.handling[free],
    )
    days = [history.days[n] for n in busy]
    without = dict(zip(days, expect(base, days, open_days).contacts, strict=True))
    counts, lifts = history.counts.copy(), dict[str, tuple[float, ...]]()
    for event in events:
        came = usual = 0.0
        for number in busy:
            day = history.days[number]
            during = window(history, day, event)
            came, usual = came + float(history.counts[number, during].sum()), usual + float(without[day][during].sum())
            counts[number, during] = without[day][during]
        if usual > 0:
            lifts[event.kind] = (*lifts.get(event.kind, ()), math.log((came + 0.5) / (usual + 0.5)))
    return Learnt(dataclasses.replace(history, counts=counts), lifts)


def applied(learnt: Learnt, days: Sequence[date], contacts: Array, events: Sequence[Event]) -> tuple[Array, Array]:
    """Contacts with the coming events in, and the variance that their doubt adds to each slot's log."""
    lifted, doubt = contacts.copy(), np.zeros_like(contacts)
    for event in events:
        factor, variance = learnt.factor(event)
        for number, day in enumerate(days):
            during = window(learnt.plain, day, event)
            lifted[number, during] *= factor
            doubt[number, during] += variance
    return lifted, doubt


def window(history: History, day: date, event: Event) -> Bools:
    """The slots of a day that begin while the event lasts."""
    starts = [history.start(day, slot) for slot in range(len(history.slots))]
    return np.array([event.start <= start < event.end for start in starts], dtype=bool)
