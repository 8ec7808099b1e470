"""Deadlines: one monotonic instant per call, from which every outgoing call and query takes its share."""

from __future__ import annotations

import time
from typing import Final

from services.kit.errors.tree import DeadlineExceeded

# What a call keeps for its own answer when it calls a neighbour, seconds.
MARGIN_SECONDS: Final = 0.05


class Deadline:
    """An instant on the monotonic clock; `None` seconds means no deadline."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Seconds left, negative once it passed; None without a deadline."""
        return None if self._at is None else self._at - time.monotonic()

    @property
    def is_long(self) -> bool:
        """Whether it is a stream's: longer than any single answer should take."""
        return self._at is None or self._at - time.monotonic() > 60

    def within(self, seconds: float, margin: float = MARGIN_SECONDS) -> float:
        """The time that an outgoing call may take: its own default, or what is left of this one less `margin`.

        Raises DeadlineExceeded when nothing is left, so that no doomed call is sent.
        """
        if self._at is None:
            return seconds
        left = self._at - time.monotonic() - margin
        if left <= 0:
            raise DeadlineExceeded
        return min(seconds, left)


NO_DEADLINE: Final = Deadline(None)
