"""Files of the Curtois & Qu multi-activity benchmarks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from services.staffing.roster.files import Line, sections
from services.staffing.roster.quarters.rules import DAY, OPENING, STEP_MINUTES, Floor, Hours

SECTIONS: Final = ("HORIZON", "TASKS", "STAFF", "COVER")
TIME: Final = re.compile(r"(\d\d):(00|15|30|45)-(\d\d):(00|15|30|45)")


def read(path: Path) -> Floor:
    """Read a file. Raises FileRefusedError with the line and the reason."""
    found = sections(path, SECTIONS)
    days, tasks = (_single(found[name], path, what) for name, what in (("HORIZON", "days"), ("TASKS", "tasks")))
    people: dict[str, Hours] = {}
    for line in found["STAFF"]:
        name = line.text(0, "the person")
        low, high = line.whole(1, "the least minutes"), line.whole(2, "the most minutes")
        one = Hours(name, -(-low // STEP_MINUTES), high // STEP_MINUTES)
        if name in people:
            raise line.refused(f"person {name} comes twice")
        if one.least > one.most:
            raise line.refused(f"person {name}: no number of quarter hours lies between {low} and {high} minutes")
        people[name] = one
    if not people:
        raise Line(path, 1, ()).refused("no person is declared")
    least = np.zeros((days * DAY, tasks), dtype=np.int64)
    most = np.zeros(least.shape, dtype=np.int64)
    seen = np.zeros(least.shape, dtype=bool)
    for line in found["COVER"]:
        cell = _step(line, days), line.whole(2, "the task", least=1, most=tasks) - 1
        if seen[cell]:
            raise line.refused("the cover of this time and task comes twice")
        seen[cell] = True
        least[cell], most[cell] = line.whole(3, "the minimum"), line.whole(4, "the maximum")
        if least[cell] > most[cell]:
            raise line.refused(f"at least {least[cell]} but at most {most[cell]} people")
    return Floor(days, tasks, list(people.values()), least, most)


def _single(lines: list[Line], path: Path, what: str) -> int:
    if len(lines) != 1:
        raise (lines or [Line(path, 1, ())])[-1].refused(f"expected one number of {what}")
    return lines[0].whole(0, f"the number of {what}", least=1, most=1_000)


def _step(line: Line, days: int) -> int:
    text = line.text(1, "the time")
    parts = TIME.fullmatch(text)
    if parts is None:
        raise line.refused(f"{text!r} is not a quarter hour such as 06:00-06:15")
    hour, quarter = int(parts[1]), int(parts[2]) // STEP_MINUTES
    step = (line.whole(0, "the day", least=1, most=days + 1) - 1) * DAY + hour * 4 + quarter - OPENING
    if (
        not 0 <= step < days * DAY
        or (int(parts[3]) * 4 + int(parts[4]) // STEP_MINUTES) % DAY != (hour * 4 + quarter + 1) % DAY
    ):
        raise line.refused(f"{text} is not a quarter hour between 06:00 of day 1 and 06:00 of day {days + 1}")
    return step
