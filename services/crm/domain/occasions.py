"""Days on which a customer is greeted: birthdays and holidays, by the site's own calendar, once each."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class LeapDay(StrEnum):
    """When somebody born on 29 February is greeted in a year without one."""

    FEB_28 = "FEB_28"
    MAR_1 = "MAR_1"


@dataclass(frozen=True, slots=True, order=True)
class Birthday:
    """Month and day; no year is kept, nobody needs to know an age. Raises ValueError for a day that never comes."""

    month: int
    day: int

    def __post_init__(self) -> None:
        """Check against a leap year."""
        date(2000, self.month, self.day)

    def in_year(self, year: int, leap_day: LeapDay) -> date:
        """The day of the greeting in a year."""
        if (self.month, self.day) == (2, 29) and not calendar.isleap(year):
            return date(year, 2, 28) if leap_day is LeapDay.FEB_28 else date(year, 3, 1)
        return date(year, self.month, self.day)


def celebrated_on(day: date, leap_day: LeapDay) -> list[Birthday]:
    """The birthdays that are greeted on a day: its own, and 29 February where this year has none."""
    own = [Birthday(day.month, day.day)]
    leap = Birthday(2, 29)
    return own + ([leap] if leap not in own and leap.in_year(day.year, leap_day) == day else [])


def birthday_key(day: date) -> str:
    """The occasion of a birthday greeting: unique by customer, so that there is one a year."""
    return f"birthday/{day.year}"


def holiday_key(holiday: str, day: date) -> str:
    """The occasion of a holiday greeting."""
    return f"holiday/{holiday}/{day.year}"


def first_days(names: Mapping[date, str]) -> dict[date, str]:
    """The first day of each holiday, from all days of it; greetings go on that one."""
    return {day: name for day, name in names.items() if names.get(day - timedelta(days=1)) != name}
