"""A history of contacts as CSV: a line per site, queue and interval."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from services.staffing.domain.forecast.history import Array, History
from services.staffing.domain.forecast.outlook import Today
from services.staffing.files.table import FileRefusedError, Row, rows

NAMES: Final = {
    "start": ("datetime", "start", "time", "timestamp", "interval_start"),
    "contacts": ("calls", "contacts", "offered", "volume", "count", "arrivals"),
    "handling": ("handling_seconds", "aht_seconds", "aht"),
    "site": ("site",),
    "queue": ("queue",),
}
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Series:
    """One queue of one site: its complete days, and the day that has begun if the file ends within one."""

    site: str
    queue: str
    history: History
    today: Today | None


@dataclass(slots=True)
class _Sums:
    """Contacts and seconds of handling by instant."""

    contacts: dict[datetime, float] = field(default_factory=dict)
    seconds: dict[datetime, float] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Take in one line. Raises FileRefusedError when the instant came before."""
        start, contacts, handling = row.instant("start"), row.number("contacts"), row.number("handling")
        if start in self.contacts:
            raise row.refused(f"{start} comes twice in the same queue; add the two lines up")
        if contacts is None:
            raise row.refused(
                "no number of contacts; write 0 where none came, leave the line out where nothing is known"
            )
        self.contacts[start] = contacts
        if handling is not None:
            self.seconds[start] = contacts * handling


def read(path: Path, minutes: int = 15) -> list[Series]:
    """Read every queue of a file into slots of `minutes`. Raises FileRefusedError with the line and the reason."""
    queues: dict[tuple[str, str], _Sums] = {}
    for row in rows(path, NAMES, ("start", "contacts")):
        queues.setdefault((row.text("site", "-"), row.text("queue", "-")), _Sums()).add(row)
    if not queues:
        raise FileRefusedError(path, 1, "no line of history under the heading")
    return [_series(path, site, queue, sums, minutes) for (site, queue), sums in sorted(queues.items())]


def _series(path: Path, site: str, queue: str, sums: _Sums, minutes: int) -> Series:
    instants = sorted(sums.contacts)
    step = _step(instants)
    if step > timedelta(minutes=minutes):
        reason = f"queue {queue} has a line every {step}, longer than the {minutes} minutes of a slot; use --interval"
        raise FileRefusedError(path, 1, reason)
    days = sorted({one.date() for one in instants})
    slots = sorted({_minute(one) // minutes * minutes for one in instants})
    day_at, slot_at = {day: n for n, day in enumerate(days)}, {slot: n for n, slot in enumerate(slots)}
    counts, seconds, timed = (np.zeros((len(days), len(slots))) for _ in range(3))
    for one, contacts in sums.contacts.items():
        cell = day_at[one.date()], slot_at[_minute(one) // minutes * minutes]
        counts[cell] += contacts
        if one in sums.seconds:
            seconds[cell] += sums.seconds[one]
            timed[cell] += contacts
    handling = np.divide(seconds, timed, out=np.full_like(seconds, np.nan), where=timed > 0)
    history = History(tuple(days), tuple(slots), minutes, counts, handling)
    begun = _begun(instants, days, step)
    if begun is None:
        return Series(site, queue, history, None)
    ended = sum(slot + minutes <= begun for slot in slots)
    return Series(site, queue, history.until(-1), Today(days[-1], _copied(counts[-1, :ended])))


def _begun(instants: list[datetime], days: list[date], step: timedelta) -> int | None:
    """The minute up to which the last day is told when it ends earlier than any such weekday; None if it is over."""
    last = {one.date(): _minute(one) for one in instants}
    before = [last[day] for day in days[:-1] if day.weekday() == days[-1].weekday()] or [last[day] for day in days[:-1]]
    if not before or last[days[-1]] >= min(before[-8:]):
        return None
    return last[days[-1]] + int(step.total_seconds() // 60)


def _step(instants: list[datetime]) -> timedelta:
    """The length of a line: the commonest distance between neighbours."""
    apart = Counter(b - a for a, b in itertools.pairwise(instants))
    return apart.most_common(1)[0][0] if apart else timedelta(minutes=1)


def _minute(one: datetime) -> int:
    return (one.hour * 60 + one.minute) % _DAY_MINUTES


def _copied(values: Array) -> Array:
    return np.array(values)
