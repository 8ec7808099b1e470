"""Business hours: when a promise's seconds count.

A calendar has several spans a day by weekday, dated exceptions and public holidays, in a time zone. All instants are
aware datetimes, all lengths are real (elapsed) seconds, also on the days when clocks are put forward or back.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

HORIZON_DAYS = 3660
"""How far `add` looks for open time before it gives up."""

DAY_MINUTES = 24 * 60
ONE_DAY = timedelta(days=1)


class CalendarExhaustedError(ValueError):
    """A calendar does not open long enough within ten years; its exceptions close it for good."""


class DayKind(Enum):
    """What public holidays make of a date."""

    ORDINARY = "ordinary"
    HOLIDAY = "holiday"
    EXCHANGED = "exchanged"
    """A weekend day on which people work in exchange for a longer holiday (调休)."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Local minutes of a day from `start` until before `end`; `end` above 1440 reaches into the next day."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read "HH:MM-HH:MM". An end at or before the start belongs to the next day; raises ValueError otherwise."""
        start, end = (_minutes(part) for part in text.split("-"))
        if start == end:
            raise ValueError("start and end are the same; write 00:00-24:00 for a whole day")
        return cls(start, end if end > start else end + DAY_MINUTES)

    def __str__(self) -> str:
        """As in the file, e.g. "22:00-02:00"."""
        end = self.end if self.end <= DAY_MINUTES else self.end - DAY_MINUTES
        return f"{self.start // 60:02}:{self.start % 60:02}-{end // 60:02}:{end % 60:02}"


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a site or a queue is open."""

    timezone: ZoneInfo
    always_open: bool = False
    weekly: tuple[tuple[Span, ...], ...] = ((),) * 7
    """Spans by weekday, Monday first."""
    exceptions: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)
    holidays: Callable[[date], DayKind] | None = None
    _days: dict[date, tuple[Interval, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def is_open(self, instant: datetime) -> bool:
        """Whether the calendar is open at this instant; a span's end is closed."""
        if self.always_open:
            return True
        today = instant.astimezone(self.timezone).date()
        return any(a <= instant < b for day in (today - ONE_DAY, today) for a, b in self._intervals(day))

    def add(self, start: datetime, seconds: float) -> datetime:
        """The instant at which `seconds` of open time have passed since `start`, in UTC: a deadline.

        0 gives `start` itself. Raises ValueError for a negative length, CalendarExhaustedError where the calendar
        never opens for so long.
        """
        if seconds < 0:
            raise ValueError(f"a length must not be negative: {seconds}")
        left = timedelta(seconds=seconds)
        begin = start.astimezone(UTC)
        if self.always_open or not left:
            return begin + left
        for opened, closed in self._open_from(begin):
            if left <= closed - opened:
                return opened + left
            left -= closed - opened
        raise CalendarExhaustedError(f"fewer than {seconds} open seconds in the {HORIZON_DAYS} days after {start}")

    def elapsed(self, start: datetime, end: datetime) -> float:
        """Open seconds between two instants; 0 where `end` is not after `start`."""
        if end <= start:
            return 0.0
        if self.always_open:
            return (end - start).total_seconds()
        total = timedelta()
        for opened, closed in self._open_from(start.astimezone(UTC)):
            if opened >= end:
                break
            total += min(closed, end) - opened
        return total.total_seconds()

    def _open_from(self, instant: datetime) -> Iterator[Interval]:
        """What is open after the instant, in order; of spans that overlap, the later begins where the earlier ends."""
        day = instant.astimezone(self.timezone).date() - ONE_DAY
        reached = instant
        for _ in range(HORIZON_DAYS):
            for begin, end in self._intervals(day):
                if end > reached:
                    yield max(begin, reached), end
                    reached = end
            day += ONE_DAY

    def _intervals(self, day: date) -> tuple[Interval, ...]:
        """UTC intervals of the spans that begin on a local date."""
        known = self._days.get(day)
        if known is None:
            pairs = ((self._instant(day, s.start), self._instant(day, s.end)) for s in self.spans(day))
            known = self._days[day] = tuple((a, b) for a, b in pairs if a < b)
        return known

    def spans(self, day: date) -> tuple[Span, ...]:
        """Spans that begin on a local date: exceptions win over holidays, holidays over weekdays."""
        if day in self.exceptions:
            return self.exceptions[day]
        kind = self.holidays(day) if self.holidays else DayKind.ORDINARY
        if kind is DayKind.HOLIDAY:
            return ()
        return self.weekly[0 if kind is DayKind.EXCHANGED else day.weekday()]

    def _instant(self, day: date, minutes: int) -> datetime:
        """UTC instant of a local wall time.

        A wall time that comes twice means the first one; one that is skipped means the moment of the change.
        """
        wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
        before = wall.replace(tzinfo=self.timezone)
        instant = before.astimezone(UTC)
        if instant.astimezone(self.timezone).replace(tzinfo=None) == wall:
            return instant
        low, high = wall.replace(tzinfo=self.timezone, fold=1).astimezone(UTC), instant
        offset = low.astimezone(self.timezone).utcoffset()
        while high - low > timedelta(seconds=1):
            middle = (low + (high - low) / 2).replace(microsecond=0)
            if middle.astimezone(self.timezone).utcoffset() == offset:
                low = middle
            else:
                high = middle
        return high


def overlap(spans: tuple[Span, ...], following: tuple[Span, ...]) -> tuple[Span, Span] | None:
    """The first two spans of a day, or of a day and the next one, that overlap; None where all are apart."""
    shifted = tuple(Span(s.start + DAY_MINUTES, s.end + DAY_MINUTES) for s in following)
    ordered = sorted(spans) + sorted(shifted)
    for first, second in itertools.pairwise(ordered):
        if second.start < first.end:
            return first, second
    return None
