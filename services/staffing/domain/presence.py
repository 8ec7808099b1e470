"""Whether and how a person is at work, and how long they were online on a day of the site."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo


class State(StrEnum):
    """Presence states (ENTITIES §7.22)."""

    OFFLINE = "OFFLINE"
    AVAILABLE = "AVAILABLE"
    BUSY = "BUSY"
    BREAK = "BREAK"
    AWAY = "AWAY"
    OFF_POST = "OFF_POST"


ONLINE: Final = frozenset({State.AVAILABLE, State.BUSY})


@dataclass(frozen=True, slots=True)
class Presence:
    """A state and since when."""

    state: State
    since: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one state; `end` is None while it lasts."""

    state: State
    start: datetime
    end: datetime | None


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Midnight of the site's day in which `now` lies."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def online_seconds(spans: Iterable[Span], *, start: datetime, now: datetime) -> int:
    """Whole seconds of AVAILABLE and BUSY between `start` and `now`."""
    total = timedelta()
    for span in spans:
        if span.state in ONLINE:
            total += max(timedelta(), min(span.end or now, now) - max(span.start, start))
    return int(total.total_seconds())
