"""Rosters as files: the JSON that `kefu roster solve` writes, and the XML of the multi-activity benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from services.staffing.roster.check.quarters import MIDNIGHT, Work
from services.staffing.roster.check.verdict import UnreadableError


def document(path: Path) -> dict[str, Any]:
    """The JSON of a solution; an XML one in the same form. Raises UnreadableError."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        if text.lstrip().startswith("<"):
            return {"roster": _xml(text)}
        found = json.loads(text)
    except (ET.ParseError, AttributeError, TypeError, ValueError) as error:
        raise UnreadableError(path, f"not a roster in JSON or XML ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("roster"), dict):
        raise UnreadableError(path, 'no object with a "roster" by person')
    return found


def _xml(text: str) -> dict[str, list[dict[str, Any]]]:
    # a file that the caller names; expat limits how far entities may grow
    root = ET.fromstring(text)  # noqa: S314
    return {
        person.attrib["ID"]: [
            {
                "day": int(shift.findtext("Day") or ""),
                "start": (shift.findtext("Start") or "")[:5],
                "tasks": [
                    [int(task.findtext("ID") or ""), int(task.findtext("Length") or "")] for task in shift.iter("Task")
                ],
            }
            for shift in person.iter("Shift")
        ]
        for person in root.iter("Employee")
    }


def plans(path: Path, roster: Mapping[str, Any], days: int) -> dict[str, list[str | None]]:
    """The shift of each person and day, from lists of [day, shift]. Raises UnreadableError."""
    found: dict[str, list[str | None]] = {}
    for name, worked in roster.items():
        plan: list[str | None] = [None] * days
        for one in worked:
            try:
                day, shift = int(one[0]), str(one[1])
            except (IndexError, KeyError, TypeError, ValueError) as error:
                raise UnreadableError(path, f"person {name}: {one!r} is not [day, shift]") from error
            if not 0 <= day < days:
                raise UnreadableError(path, f"person {name}: day {day} is not one of 0 to {days - 1}")
            if plan[day] is not None:
                raise UnreadableError(path, f"person {name}: two shifts on day {day}")
            plan[day] = shift
        found[name] = plan
    return found


def works(path: Path, roster: Mapping[str, Any]) -> dict[str, list[Work]]:
    """The shifts of each person, from {day, start, tasks: [[task, minutes], …]}. Raises UnreadableError."""
    found: dict[str, list[Work]] = {}
    for name, shifts in roster.items():
        found[name] = []
        for one in shifts:
            try:
                hours, minutes = str(one["start"]).split(":")
                start = int(one["day"]) * MIDNIGHT + int(hours) * 60 + int(minutes)
                tasks = tuple((int(task), int(length)) for task, length in one["tasks"])
            except (KeyError, TypeError, ValueError) as error:
                raise UnreadableError(path, f"person {name}: {one!r} has no day, start and tasks") from error
            found[name].append(Work(start, tasks))
    return found
