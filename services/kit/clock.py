"""The time: one clock per process that follows the database's, and a virtual one for replays and tests.

Deadlines are judged by the database (SQL function `kefu_now()`); Python only has to agree with it closely, so it
measures the offset instead of trusting the machine's own wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A backward correction smaller than this holds the clock still instead of turning it back.
HOLD = timedelta(seconds=1)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock: for tools that have no database."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)


class DatabaseClock:
    """Follows the database's clock by measured offset and runs on the machine's monotonic clock in between.

    Small corrections never turn it back; a jump of the database's own clock by more than a second is followed.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._base = datetime.now(UTC) - timedelta(seconds=monotonic())
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        present = self._base + timedelta(seconds=self._monotonic())
        if present < self._latest:
            return self._latest
        self._latest = present
        return present

    def observe(self, database_now: datetime, *, asked: float, answered: float) -> None:
        """Take over a reading of the database's clock; `asked` and `answered` are monotonic seconds around it."""
        self._base = database_now - timedelta(seconds=(asked + answered) / 2)
        if self._latest - (database_now + timedelta(seconds=(answered - asked) / 2)) > HOLD:
            self._latest = datetime.min.replace(tzinfo=UTC)


class VirtualClock:
    """Stands still until it is moved forward."""

    def __init__(self, start: datetime) -> None:
        self._now = _aware(start)

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return self._now

    def move(self, to: datetime) -> None:
        """Move forward to `to`; an earlier instant leaves the clock where it is."""
        self._now = max(self._now, _aware(to))


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC)
