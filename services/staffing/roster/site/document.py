"""Problems and rosters of a site as JSON documents: what a run keeps, and what `kefu roster` reads and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from services.staffing.files.table import FileRefusedError
from services.staffing.roster.cover import Array, Counts
from services.staffing.roster.site.pricing import Kinds
from services.staffing.roster.site.rules import DAY, QUARTER, Limits, Person, Shift, Trainee, Week, Weights, Wish
from services.staffing.roster.site.words import ANY, OFF, PersonWords, Problem, ShiftWords


def read(path: Path) -> Week:
    """Read a problem file. Raises FileRefusedError with the place and the reason."""
    raw = path.read_bytes()
    try:
        return week(msgspec.json.decode(raw, type=Problem))
    except ValueError as error:
        raise FileRefusedError(path, 1, str(error)) from error


def week(words: Problem) -> Week:
    """The problem of a document. Raises ValueError that names what does not fit."""
    if words.days < 7 or words.days % 7 or words.days > 56:
        raise ValueError(f"days is {words.days}: whole weeks, 7 to 56 days")
    shifts = [_shift(one) for one in words.shifts]
    numbers = {one.id: position for position, one in enumerate(shifts)}
    if not shifts or len(numbers) < len(shifts):
        raise ValueError("shifts need ids of their own, and there must be one")
    activities = {name: position for position, name in enumerate(words.activities)}
    need = np.zeros(((words.days + 1) * DAY // QUARTER, len(activities)), dtype=np.int64)
    for name, cells in words.need.items():
        for slot, number in cells:
            if name not in activities or not 0 <= slot < len(need) or not 0 <= number <= 10_000:
                raise ValueError(f"need of {name} in quarter hour {slot} is {number}: outside the problem")
            need[slot, activities[name]] = number
    people = [_person(one, activities, numbers, words.days) for one in words.people]
    known = {one.id for one in people}
    if not people or len(known) < len(people):
        raise ValueError("people need ids of their own, and there must be one")
    lost = [one.id for one in words.trainees if one.mentor not in known]
    if lost:
        raise ValueError(f"trainees {', '.join(lost)} have no mentor among the people")
    limits = Limits(words.limits.weekly_rest_minutes, words.limits.between_minutes, words.limits.days_in_row)
    trainees = [Trainee(one.id, one.mentor, frozenset(one.leave)) for one in words.trainees]
    weights = msgspec.convert(words.weights, type=Weights, strict=True)
    holidays = frozenset(words.holidays)
    return Week(words.days, shifts, words.activities, people, trainees, limits, weights, holidays, need)


def _shift(words: ShiftWords) -> Shift:
    values = (words.start, words.minutes, words.break_minutes, words.break_lead)
    if any(value % QUARTER or value < 0 for value in values) or words.start >= DAY or not 0 < words.minutes <= DAY:
        raise ValueError(f"shift {words.id}: start, length and break in quarter hours, within a day")
    if words.break_minutes and words.break_minutes + 2 * words.break_lead > words.minutes:
        raise ValueError(f"shift {words.id}: its break does not fit in")
    return Shift(words.id, *values)


def _person(words: PersonWords, activities: Mapping[str, int], shifts: Mapping[str, int], days: int) -> Person:
    def shift(name: str) -> int:
        if name == OFF:
            return -1
        if name not in shifts:
            raise ValueError(f"{words.id}: unknown shift {name!r}")
        return shifts[name]

    said = [*words.leave, *words.fixed, *words.published, *(one.day for one in words.wishes)]
    if any(not 0 <= day < days for day in said):
        raise ValueError(f"{words.id}: a day outside 0 to {days - 1}")
    if not words.activities or any(name not in activities for name in words.activities):
        raise ValueError(f"{words.id}: no activities, or unknown ones")
    return Person(
        words.id,
        tuple(sorted(activities[name] for name in words.activities)),
        words.least_minutes,
        words.most_minutes,
        frozenset(words.leave),
        {day: shift(name) for day, name in words.fixed.items()},
        tuple(Wish(one.day, None if one.shift == ANY else shift(one.shift), one.weight) for one in words.wishes),
        {day: shift(name) for day, name in words.published.items()},
        words.past,
        words.run,
        words.free,
    )


def encode(week: Week, rosters: Sequence[tuple[int, Counts]]) -> dict[str, list[dict[str, Any]]]:
    """Shifts by person, trainees among them: day, start, minutes, break and activity."""
    kinds = Kinds.of(week.people)
    left = {number: list(members) for number, members in enumerate(kinds.members)}
    found = {left[kind].pop(0).id: _works(week, cells) for kind, cells in rosters}
    for trainee in week.trainees:
        found[trainee.id] = [work for work in found[trainee.mentor] if work["day"] not in trainee.leave]
    return found


def _works(week: Week, cells: Counts) -> list[dict[str, Any]]:
    """Cells as shifts: a gap longer than any break parts two of them."""
    longest = max(shift.rest for shift in week.shifts) // QUARTER
    works: list[dict[str, Any]] = []
    slots, activities = np.divmod(cells, len(week.activities))
    for run in np.split(np.arange(len(cells)), np.flatnonzero(np.diff(slots) > longest + 1) + 1):
        if not len(run):
            continue
        first, last = int(slots[run[0]]), int(slots[run[-1]])
        gap = np.flatnonzero(np.diff(slots[run]) > 1)
        pause = int(slots[run[gap[0]]]) + 1 if len(gap) else first
        rest = int(slots[run[gap[0] + 1]]) - pause if len(gap) else 0
        works.append(
            {
                "day": first * QUARTER // DAY,
                "start": first * QUARTER % DAY,
                "minutes": (last + 1 - first) * QUARTER,
                "break_start": (pause - first) * QUARTER,
                "break_minutes": rest * QUARTER,
                "activity": week.activities[int(activities[run[0]])],
            }
        )
    return works


def decode(week: Week, roster: Mapping[str, Any]) -> list[tuple[int, Counts]]:
    """The rosters of a document. Raises ValueError where it does not fit the problem."""
    kinds, found = Kinds.of(week.people), []
    position = {name: number for number, name in enumerate(week.activities)}
    for kind, members in enumerate(kinds.members):
        for member in members:
            cells: list[int] = []
            try:
                for work in roster[member.id]:
                    first = (int(work["day"]) * DAY + int(work["start"])) // QUARTER
                    pause, rest = int(work["break_start"]) // QUARTER, int(work["break_minutes"]) // QUARTER
                    slots = [one for one in range(int(work["minutes"]) // QUARTER) if not pause <= one < pause + rest]
                    cells += [(first + one) * len(position) + position[work["activity"]] for one in slots]
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the roster of {member.id} is not a list of shifts of this problem") from error
            found.append((kind, np.array(sorted(cells), dtype=np.int64)))
    return found


def certificate(week: Week, prices: Array) -> dict[str, Any]:
    """What proves the bound: prices by activity and quarter hour."""
    rows = np.round(prices.reshape(week.slots, -1), 6).T
    return {"prices": {name: row.tolist() for name, row in zip(week.activities, rows, strict=True)}}
