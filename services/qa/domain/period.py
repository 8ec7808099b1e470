"""Periods of appraisals: calendar months and quarters in the site's time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MONTH, QUARTER = "MONTH", "QUARTER"
_ID: Final = re.compile(r"(\d{4})-(?:(0[1-9]|1[0-2])|Q([1-4]))")


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar month ("2026-11") or quarter ("2026-Q4"): first day, and the first day after it."""

    id: str
    first: date
    end: date

    @property
    def kind(self) -> str:
        """MONTH or QUARTER."""
        return QUARTER if "Q" in self.id else MONTH

    @property
    def months(self) -> tuple[str, ...]:
        """The months in it."""
        return tuple(f"{self.first.year}-{month:02}" for month in range(self.first.month, self._last.month + 1))

    @property
    def _last(self) -> date:
        return self.end - timedelta(days=1)

    def begins_at(self, zone: ZoneInfo) -> datetime:
        """The instant at which it begins, UTC."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=zone).astimezone(UTC)

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """The instant at which it is over, UTC."""
        return datetime(self.end.year, self.end.month, self.end.day, tzinfo=zone).astimezone(UTC)


def parse(text: str) -> Period:
    """Read "2026-11" or "2026-Q4"; raises ValueError for anything else."""
    match = _ID.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no period such as 2026-11 or 2026-Q4")
    year, month, quarter = match.groups()
    if int(year) < 1:
        raise ValueError(f"{text!r} is no period such as 2026-11 or 2026-Q4")
    start, length = (int(month), 1) if month else (3 * int(quarter) - 2, 3)
    return Period(text, date(int(year), start, 1), _later(date(int(year), start, 1), length))


def of(day: date, kind: str) -> Period:
    """The month or quarter that a day lies in."""
    return parse(f"{day.year:04}-{day.month:02}" if kind == MONTH else f"{day.year:04}-Q{(day.month + 2) // 3}")


def before(day: date, kind: str) -> Period:
    """The last month or quarter that was over on a day."""
    return of(of(day, kind).first - timedelta(days=1), kind)


def _later(day: date, months: int) -> date:
    count = day.month - 1 + months
    return date(day.year + count // 12, count % 12 + 1, 1)
