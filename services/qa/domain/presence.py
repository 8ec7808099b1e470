"""Time online from changes of presence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ONLINE: Final = frozenset({"AVAILABLE", "BUSY"})
"""ENTITIES §7.22: these count to the hours a day."""
LONGEST: Final = timedelta(hours=24)


def online_by_day(state: str, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[tuple[date, float]]:
    """(day of the site, seconds) of a stretch in one state; nothing for one that is not online, or ran backwards.

    A stretch of more than a day is cut to its first one: somebody forgot to sign out, or an event is missing.
    """
    if state not in ONLINE:
        return
    until = min(until, since + LONGEST)
    begin = since
    while begin < until:
        day = begin.astimezone(zone).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
        end = min(until, midnight)
        yield day, (end - begin).total_seconds()
        begin = end
