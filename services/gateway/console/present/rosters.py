"""A run as the page draws it: bars by person and day, steps of cover, what is missing in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.staffing.v1 import roster_pb2 as pb

from services.gateway.console.backend import stamp
from services.kit.errors import InvalidArgument

QUARTERS: Final = 96
_TALL: Final = 60
"""Height of a cover curve, in the units of its drawing; its width is one a quarter hour."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of work, in quarter hours from the first midnight; `words` name it for everybody."""

    x: int
    width: int
    activity: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """Somebody's roster."""

    person: str
    name: str
    hours: float
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Curve:
    """Cover of an activity: two step lines as SVG paths, and the most people of either."""

    activity: str
    required: str
    scheduled: str
    most: int
    missing: float
    surplus: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole picture, `width` quarter hours wide."""

    days: Sequence[date]
    lines: Sequence[Line]
    curves: Sequence[Curve]

    @property
    def width(self) -> int:
        """Quarter hours."""
        return QUARTERS * len(self.days)


def chart(run: pb.RosterRun, zone: ZoneInfo, names: Mapping[str, str]) -> Chart:
    """The picture of a run's best roster so far."""
    first = date.fromisoformat(run.first_day)
    lines = []
    for person in sorted({one.person for one in run.shifts}):
        shifts = [one for one in run.shifts if one.person == person]
        bars = [bar for one in shifts for bar in _bars(one, first, zone)]
        hours = sum((one.end.seconds - one.start.seconds) / 3600 - one.break_minutes / 60 for one in shifts)
        lines.append(Line(person, names.get(person, person), hours, bars))
    days = [first + timedelta(days=number) for number in range(run.days)]
    return Chart(days, lines, [_curve(one) for one in run.cover])


def _bars(shift: pb.RosterShift, first: date, zone: ZoneInfo) -> Iterator[Bar]:
    """One bar, or two around the break."""
    begin, end = _quarter(shift.start, first, zone), _quarter(shift.end, first, zone)
    words = f"{_local(shift.start, zone):%m-%d %H:%M}–{_local(shift.end, zone):%H:%M}"
    if shift.break_minutes:
        pause = _quarter(shift.break_start, first, zone)
        yield Bar(begin, pause - begin, shift.activity, words)
        begin = pause + shift.break_minutes // 15
    yield Bar(begin, end - begin, shift.activity, words)


def _curve(cover: pb.RosterRun.Cover) -> Curve:
    most = max([1, *cover.required, *cover.scheduled])
    pairs = list(zip(cover.required, cover.scheduled, strict=True))
    return Curve(
        cover.activity,
        _steps(cover.required, most),
        _steps(cover.scheduled, most),
        most,
        sum(max(0, need - there) for need, there in pairs) / 4,
        sum(max(0, there - need) for need, there in pairs) / 4,
    )


def _steps(people: Sequence[int], most: int) -> str:
    """A step line from the bottom left, as the d of a path."""
    path, before = [f"M0 {_TALL}"], -1
    for x, number in enumerate(people):
        if number != before:
            path.append(f"H{x}V{_TALL - _TALL * number // most}")
            before = number
    return "".join([*path, f"H{len(people)}V{_TALL}"])


def requirements(text: str, zone: ZoneInfo) -> list[pb.Requirement]:
    """The lines that somebody pasted: start,skill,people or start,skill,contacts,handling_seconds, local time.

    Raises InvalidArgument with the line.
    """
    rows = csv.DictReader(io.StringIO(text.strip()))
    found = []
    for row in rows:
        try:
            start = datetime.fromisoformat((row.get("start") or "").strip()).replace(tzinfo=zone)
            found.append(
                pb.Requirement(
                    start=stamp(start),
                    skill=(row.get("skill") or "").strip(),
                    people=int(row.get("people") or 0),
                    contacts=float(row.get("contacts") or row.get("mean") or 0),
                    handling_seconds=float(row.get("handling_seconds") or 0),
                )
            )
        except ValueError as error:
            raise InvalidArgument.field("requirements", f"line {rows.line_num}: {error}", "csv") from error
    return found


def _quarter(at: Timestamp, first: date, zone: ZoneInfo) -> int:
    local = _local(at, zone).replace(tzinfo=None)
    return int((local - datetime.combine(first, time())) / timedelta(minutes=15))


def _local(at: Timestamp, zone: ZoneInfo) -> datetime:
    return at.ToDatetime(UTC).astimezone(zone)
