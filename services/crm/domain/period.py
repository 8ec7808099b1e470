"""ISO 8601 periods of the profile (P1Y, P2W) on the calendar."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

from dateutil.relativedelta import relativedelta

_PERIOD: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?")


def period(text: str) -> relativedelta:
    """A period such as P1Y6M; raises ValueError for a text that is none."""
    match = _PERIOD.fullmatch(text)
    if match is None or text == "P":
        raise ValueError(f"{text!r} is no period such as P1Y or P2W")
    years, months, weeks, days = (int(part or 0) for part in match.groups())
    return relativedelta(years=years, months=months, weeks=weeks, days=days)


def day_before(day: date, window: str) -> date:
    """The last day that lies outside a window which ends on `day`."""
    return day - period(window)


def later(instant: datetime, interval: str) -> datetime:
    """The instant an interval later."""
    return instant + period(interval)
