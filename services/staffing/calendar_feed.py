"""A person's shifts as an iCalendar (RFC 5545): what any calendar can subscribe to or import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from services.staffing.domain.contract import Shift

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
_FOLD: Final = 75
"""Octets of a line at most (RFC 5545 §3.1)."""


def calendar(site: str, shifts: Sequence[Shift], now: datetime) -> bytes:
    """The calendar; an event's UID is the person and the day, so that a changed shift takes its place."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kefu//Roster//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"]
    for shift in shifts:
        lines += _event(site, shift, now)
    return "".join(f"{part}\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line)).encode()


def _event(site: str, shift: Shift, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{shift.day:%Y%m%d}-{shift.person}@{site}.kefu"
    yield f"DTSTAMP:{_instant(now)}"
    yield f"DTSTART:{_instant(shift.start)}"
    yield f"DTEND:{_instant(shift.end)}"
    yield f"SUMMARY:{_text(shift.activity)}"
    if shift.break_start is not None:
        yield f"DESCRIPTION:{_text(f'break {shift.break_minutes} min from {_instant(shift.break_start)}')}"
    yield "END:VEVENT"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    """RFC 5545 §3.3.11."""
    return words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """Lines of at most 75 octets, never inside a character; each further one begins with a space."""
    current = ""
    for character in line:
        if len((current + character).encode()) > _FOLD:
            yield current
            current = " "
        current += character
    yield current
