"""Events known in advance as CSV: kind, start, end and, if the planner has one, the expected lift."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.staffing.domain.forecast.events import Event
from services.staffing.files.table import rows

NAMES: Final = {
    "kind": ("kind", "event"),
    "start": ("start", "date"),
    "end": ("end",),
    "lift": ("lift",),
}


def read(path: Path) -> list[Event]:
    """Read the events, past ones and coming ones. Raises FileRefusedError with the line and the reason."""
    found = []
    for row in rows(path, NAMES, ("kind", "start")):
        start = row.instant("start")
        end = row.instant("end" if row.text("end") else "start", end_of_day=True)
        if end <= start:
            raise row.refused("the event ends before it starts; an event without an end lasts for the day of its start")
        lift = row.number("lift")
        if lift == 0:
            raise row.refused("a lift of 0 would close the queue; write 1.5 for half as many contacts more")
        found.append(Event(row.text("kind"), start, end, 1.0 if lift is None else lift))
    return found
