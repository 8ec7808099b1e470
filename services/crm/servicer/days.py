"""Periods of reports as requests name them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from services.kit.errors import InvalidArgument
from services.policy.profile import Profile

_YEAR = timedelta(days=365)


def period_of(profile: Profile, now: datetime, first_day: str, last_day: str) -> tuple[datetime, datetime]:
    """From the first midnight to the one after the last day, at the site; by default the year up to today."""
    last = _day("last_day", last_day) or now.astimezone(profile.timezone).date()
    first = _day("first_day", first_day) or last - _YEAR
    if last < first:
        raise InvalidArgument.field("last_day", "lies before first_day")
    return _midnight(profile, first), _midnight(profile, last + timedelta(days=1))


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as fault:
        raise InvalidArgument.field(field, "is no day such as 2026-01-31") from fault


def _midnight(profile: Profile, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=profile.timezone)
