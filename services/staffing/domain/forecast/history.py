"""What came: contacts by day and interval of one queue, and how long they took."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class History:
    """Contacts of one queue on the days that it was open, oldest first.

    `counts` is days × slots; a slot begins `slots[k]` minutes after local midnight and lasts `minutes`.
    `handling` is the mean handling time of a contact in seconds, of the same shape, not a number where none came
    or none was given.
    """

    days: tuple[date, ...]
    slots: tuple[int, ...]
    minutes: int
    counts: Array
    handling: Array

    @property
    def has_handling(self) -> bool:
        """Whether handling times were given."""
        return bool(np.isfinite(self.handling).any())

    @property
    def totals(self) -> Array:
        """Contacts by day."""
        return np.asarray(self.counts.sum(axis=1))

    def until(self, count: int) -> History:
        """The first `count` days."""
        return dataclasses.replace(
            self, days=self.days[:count], counts=self.counts[:count], handling=self.handling[:count]
        )

    def since(self, first: int) -> History:
        """Without the first `first` days."""
        return dataclasses.replace(
            self, days=self.days[first:], counts=self.counts[first:], handling=self.handling[first:]
        )

    def start(self, day: date, slot: int) -> datetime:
        """Local wall time at which a slot begins."""
        return datetime.combine(day, time()) + timedelta(minutes=self.slots[slot])

    def slot_at(self, clock: time) -> int:
        """How many slots have begun and ended by a wall time."""
        minute = clock.hour * 60 + clock.minute
        return sum(1 for slot in self.slots if slot + self.minutes <= minute)
