"""Public holidays of mainland China with exchanged working days (调休).

The State Council announces them year by year, late in the year before. `chinesecalendar` knows every announced year;
for a later one the statutory days are computed by `holidays` and no working day is exchanged until an update.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Final

from services.policy.calendar import DayKind

_EVE: Final = "农历除夕"
_IN_LIEU: Final = "休息日"


@lru_cache(maxsize=1)
def announced_years() -> range:
    """Years whose holidays and exchanged working days are known exactly."""
    from chinese_calendar import constants

    return range(min(constants.holidays).year, max(constants.holidays).year + 1)


def china(day: date) -> DayKind:
    """What a date is in mainland China: HOLIDAY, EXCHANGED (a weekend day worked) or ORDINARY."""
    if day.year not in announced_years():
        return DayKind.HOLIDAY if day in _statutory(day.year) else DayKind.ORDINARY
    from chinese_calendar import constants

    if day in constants.holidays:
        return DayKind.HOLIDAY
    return DayKind.EXCHANGED if day in constants.workdays else DayKind.ORDINARY


@lru_cache(maxsize=16)
def names(year: int) -> Mapping[date, str]:
    """The statutory holidays of a year with their Chinese names, every day of each; the eve belongs to 春节.

    Days off in lieu are no holidays of their own.
    """
    import holidays

    found = holidays.country_holidays("CN", years=year, observed=False, language="zh_CN")
    return {day: "春节" if name == _EVE else str(name) for day, name in found.items() if name[:3] != _IN_LIEU}


@lru_cache(maxsize=16)
def _statutory(year: int) -> frozenset[date]:
    import holidays

    return frozenset(holidays.country_holidays("CN", years=year, observed=False))
