"""Intervals to staff as CSV, and the requirement written back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.staffing.files.table import FileRefusedError, rows

NAMES: Final = {
    "start": ("start", "datetime", "time", "interval_start"),
    "contacts": ("contacts", "mean", "calls", "offered", "volume"),
    "handling": ("handling_seconds", "aht_seconds", "aht"),
    "skill": ("skill", "queue"),
}


@dataclass(frozen=True, slots=True)
class Demand:
    """Contacts of one interval and skill; `handling` in seconds, None to take the command's."""

    start: datetime
    skill: str
    contacts: float
    handling: float | None


def read(path: Path) -> list[Demand]:
    """Read the intervals in order of skill and time. Raises FileRefusedError with the line and the reason."""
    found: dict[tuple[str, datetime], Demand] = {}
    for row in rows(path, NAMES, ("start", "contacts")):
        one = Demand(
            row.instant("start"), row.text("skill", "-"), row.number("contacts") or 0.0, row.number("handling")
        )
        if (one.skill, one.start) in found:
            raise row.refused(f"{one.start} comes twice for skill {one.skill}")
        if one.handling == 0:
            raise row.refused("handling of 0 seconds; leave it empty to take --handling")
        found[one.skill, one.start] = one
    if not found:
        raise FileRefusedError(path, 1, "no interval under the heading")
    return [found[key] for key in sorted(found)]
