"""Which calendar of public holidays a queue follows: named, or found from the days on which it was closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from services.policy.calendar import DayKind
from services.policy.chinese_days import china
from services.staffing.domain.forecast.days import Kinds, OpenDays, ordinary

AUTO: Final = "auto"
NONE: Final = "none"
_LEAST_HITS: Final = 2


class CalendarUnknownError(ValueError):
    """No calendar of this name."""


def kinds(name: str, days: Sequence[date], horizon: int) -> tuple[Kinds, str]:
    """What dates are by the calendar `name`, for a history's open days and `horizon` more, and the calendar's name.

    `name` is "auto", "none", or a country's ISO code such as CN or US. Raises CalendarUnknownError.
    """
    if name == NONE:
        return ordinary, NONE
    if name != AUTO:
        return _country(name.upper(), _years(days, horizon)), name.upper()
    found = _recognised(days, horizon)
    return (_country(found, _years(days, horizon)), found) if found else (ordinary, NONE)


def _recognised(days: Sequence[date], horizon: int) -> str | None:
    """The country whose every holiday on a usual weekday was a closed day, at least two of them.

    Most hits win; of equals the one with most subdivisions, a country before its territories.
    """
    import holidays

    usual = OpenDays.learn(days).weekdays
    span = (days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1))
    closed = {day for day in span if day.weekday() in usual} - set(days)
    if len(closed) < _LEAST_HITS:
        return None
    found: list[tuple[int, int, str]] = []
    for country, parts in holidays.list_supported_countries(include_aliases=False).items():
        kind = _country(country, _years(days, horizon))
        opened = any(kind(day) is DayKind.HOLIDAY and day.weekday() in usual for day in days)
        hits = sum(kind(day) is DayKind.HOLIDAY for day in closed)
        if hits >= _LEAST_HITS and not opened:
            found.append((hits, len(parts), country))
    return max(found)[2] if found else None


def _country(code: str, years: range) -> Kinds:
    if code == "CN":
        return china
    import holidays

    try:
        known = frozenset(holidays.country_holidays(code, years=years))
    except NotImplementedError:
        raise CalendarUnknownError(f"No calendar {code!r}: auto, none, or an ISO code such as CN, HK or US.") from None
    return lambda day: DayKind.HOLIDAY if day in known else DayKind.ORDINARY


def _years(days: Sequence[date], horizon: int) -> range:
    return range(days[0].year, (days[-1] + timedelta(days=3 * horizon + 31)).year + 1)
