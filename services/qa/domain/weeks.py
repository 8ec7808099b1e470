"""Periods of draws: weeks from Monday to Monday in the site's time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A frame is closed this long after its last recording was registered: longer than a transaction may take to commit.
SETTLES = timedelta(minutes=5)


def monday(instant: datetime, zone: ZoneInfo) -> date:
    """The Monday of the week in which an instant lies."""
    day = instant.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def bounds(first: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Begin and end of the week of a Monday, UTC."""
    return _midnight(first, zone), _midnight(first + timedelta(days=7), zone)


def month_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """Begin of the month in which an instant lies, UTC."""
    return _midnight(instant.astimezone(zone).date().replace(day=1), zone)


def key_of(first: date) -> str:
    """The name of a week."""
    return f"week-{first.isoformat()}"


def iso(instant: datetime) -> str:
    """An instant as records write it: UTC, to the microsecond, so that texts sort as instants do."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
