"""Business hours: spans that exist, do not overlap and leave the calendar open at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kefu.policy.v1 import profile_pb2

from services.policy.calendar import Span, overlap
from services.policy.checks.structure import known_zone, real_date
from services.policy.chinese_days import announced_years
from services.policy.faults import Fault

WEEK = tuple(name.removeprefix("WEEKDAY_") for name in profile_pb2.Weekday.keys()[1:])


def check(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    """Faults of all calendars."""
    for name, entry in sorted(message.calendars.items()):
        path = f"calendars.{name}"
        if entry.timezone and not known_zone(entry.timezone):
            yield Fault(
                f"{path}.timezone", f"{entry.timezone!r} is no IANA time zone", "Write one such as Asia/Shanghai"
            )
        if entry.always_open and (entry.exceptions or entry.holidays):
            yield Fault(
                path, "is always open, yet has exceptions or holidays", "Write weekly hours 00:00-24:00 instead"
            )
        yield from _weekly(path, entry)
        yield from _exceptions(path, entry)


def notes(message: profile_pb2.SiteProfile) -> Iterator[str]:
    """Up to which year exchanged working days are known."""
    if any(entry.holidays == profile_pb2.HOLIDAYS_CHINA for entry in message.calendars.values()):
        last = announced_years()[-1]
        yield (
            f"Chinese holidays and exchanged working days are known up to {last}; later years have their statutory "
            "days and no exchanged ones until `chinesecalendar` is updated. Dated exceptions win over both."
        )


def _weekly(path: str, entry: profile_pb2.Calendar) -> Iterator[Fault]:
    week: list[tuple[Span, ...]] = [()] * 7
    for index, hours in enumerate(entry.weekly):
        spans, faults = _spans(f"{path}.weekly[{index}].spans", hours.spans)
        yield from faults
        for day in hours.days:
            week[day - 1] = (*week[day - 1], *spans)
    for index, spans in enumerate(week):
        pair = overlap(spans, week[(index + 1) % 7])
        if pair:
            first, second = pair
            after = second.start >= 24 * 60
            begin = Span(second.start - 24 * 60, second.end - 24 * 60) if after else second
            where = f"{WEEK[(index + 1) % 7]} {begin}" if after else str(begin)
            yield Fault(
                f"{path}.weekly", f"{WEEK[index]} {first} overlaps {where}", "Let one span end before the next begins"
            )


def _exceptions(path: str, entry: profile_pb2.Calendar) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, day in enumerate(entry.exceptions):
        here = f"{path}.exceptions[{index}]"
        if not real_date(day.date):
            yield Fault(f"{here}.date", f"{day.date!r} is no date", "Write YYYY-MM-DD")
        if day.date in seen:
            yield Fault(f"{here}.date", f"{day.date} stands twice", "Put all its spans into one entry")
        seen.add(day.date)
        spans, faults = _spans(f"{here}.spans", day.spans)
        yield from faults
        pair = overlap(spans, ())
        if pair:
            yield Fault(f"{here}.spans", f"{pair[0]} overlaps {pair[1]}", "Let one span end before the next begins")


def _spans(path: str, texts: Sequence[str]) -> tuple[tuple[Span, ...], list[Fault]]:
    spans, faults = [], []
    for index, text in enumerate(texts):
        try:
            spans.append(Span.parse(text))
        except ValueError as error:
            faults.append(Fault(f"{path}[{index}]", f"{text!r} is empty: {error}", "Write HH:MM-HH:MM"))
    return tuple(spans), faults
