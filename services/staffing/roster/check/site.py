"""Rosters of a site judged by the rules of its problem document, every figure found again from the shifts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from services.staffing.roster.check.verdict import UnreadableError

QUARTER: Final = 15
MIDNIGHT: Final = 1_440
WEEK: Final = 7 * MIDNIGHT


@dataclass(frozen=True, slots=True)
class Work:
    """A shift in minutes after midnight of the first day; `pause` is its break, empty where both are equal."""

    start: int
    end: int
    pause: tuple[int, int]
    activity: str

    @property
    def day(self) -> int:
        """The day of its start."""
        return self.start // MIDNIGHT

    @property
    def paid(self) -> int:
        """Minutes of work."""
        return self.end - self.start - (self.pause[1] - self.pause[0])

    @property
    def quarters(self) -> Iterator[int]:
        """The quarter hours worked."""
        return (at // QUARTER for at in range(self.start, self.end, QUARTER) if not self.pause[0] <= at < self.pause[1])


Rosters = Mapping[str, Sequence[Work]]


def read(path: Path) -> dict[str, Any]:
    """The problem document of a file. Raises UnreadableError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise UnreadableError(path, f"not JSON ({error})") from error
    if not isinstance(found, dict) or found.get("format") != "site":
        raise UnreadableError(path, 'no object with "format": "site"')
    return found


def works(roster: Mapping[str, Any]) -> dict[str, list[Work]]:
    """The shifts of a solution document. Raises ValueError, KeyError or TypeError for one of another form."""
    found: dict[str, list[Work]] = {}
    for name, shifts in roster.items():
        found[name] = []
        for one in shifts:
            start = int(one["day"]) * MIDNIGHT + int(one["start"])
            pause = start + int(one["break_start"])
            rest = (pause, pause + int(one["break_minutes"]))
            found[name].append(Work(start, start + int(one["minutes"]), rest, str(one["activity"])))
        found[name].sort(key=lambda work: work.start)
    return found


def broken(problem: Mapping[str, Any], rosters: Rosters) -> list[str]:
    """Each hard rule that is broken, in words."""
    people = {one["id"]: one for one in problem["people"]}
    trainees = {one["id"]: one for one in problem.get("trainees", [])}
    said = [f"{name}: no roster" for name in [*people, *trainees] if name not in rosters]
    for name, shifts in rosters.items():
        if name in people:
            said.extend(f"{name}: {words}" for words in of_person(problem, people[name], shifts))
        elif name in trainees:
            said.extend(f"{name}: {words}" for words in _trainee(problem, trainees[name], shifts, rosters))
        else:
            said.append(f"{name}: not certified, or not a person of this site")
    return said


def of_person(problem: Mapping[str, Any], person: Mapping[str, Any], shifts: Sequence[Work]) -> Iterator[str]:
    """The hard rules that one person's shifts break, in words."""
    limits, first = problem["limits"], problem["first_day"]
    yield from _shifts(problem, person, shifts)
    for work in shifts:
        if work.day in person.get("leave", ()):
            yield f"works on {day(first, work.day)}, a day of leave"
    by_day = {work.day: work for work in shifts}
    for text, fixed in person.get("fixed", {}).items():
        kept = by_day.get(int(text))
        if (fixed == "OFF") != (kept is None) or (kept and _id(problem, kept) != fixed):
            yield f"{day(first, int(text))} is fixed to {fixed}"
    yield from _rests(limits, person, shifts, first, problem["days"])
    for week in range(problem["days"] // 7):
        minutes = sum(work.paid for work in shifts if work.day // 7 == week)
        if minutes > person["most_minutes"]:
            yield f"{minutes / 60:g} h in the week of {day(first, 7 * week)}, at most {person['most_minutes'] / 60:g} h"


def _shifts(problem: Mapping[str, Any], person: Mapping[str, Any], shifts: Sequence[Work]) -> Iterator[str]:
    first = problem["first_day"]
    for work in shifts:
        if not 0 <= work.day < problem["days"] or _id(problem, work) is None:
            yield f"the shift of {when(first, work.start)} is none of the site's"
        if work.activity not in person["activities"]:
            yield f"does {work.activity} on {day(first, work.day)} without that skill"
    for one, number in Counter(work.day for work in shifts).items():
        if number > 1:
            yield f"{number} shifts on {day(first, one)}"


def _rests(
    limits: Mapping[str, Any], person: Mapping[str, Any], shifts: Sequence[Work], first: str, days: int
) -> Iterator[str]:
    """Rest between shifts, days in a row, and free time in one piece every week."""
    before = -int(person.get("free", WEEK))
    ends = [before, *(work.end for work in shifts)]
    for end, work in zip(ends, shifts, strict=False):
        if work.start - end < limits["between_minutes"]:
            least = f"at least {limits['between_minutes'] / 60:g} h"
            yield f"{(work.start - end) / 60:g} h free before {when(first, work.start)}, {least}"
    run, last = int(person.get("run", 0)), -1
    for work in shifts:
        run = run + 1 if work.day == last + 1 else 1
        last = work.day
        if run == limits["days_in_row"] + 1:
            yield f"{run} days in a row on {day(first, work.day)}, at most {limits['days_in_row']}"
    for start in range(0, days * MIDNIGHT, WEEK):
        if longest_rest(shifts, before, start) < limits["weekly_rest_minutes"]:
            hours = limits["weekly_rest_minutes"] / 60
            yield f"less than {hours:g} h free in one piece in the week of {day(first, start // MIDNIGHT)}"


def longest_rest(shifts: Sequence[Work], before: int, start: int) -> int:
    """Minutes of the longest free stretch in the week from `start`; work before the first shift ended at `before`."""
    busy = [(start, max(start, before)), *((work.start, work.end) for work in shifts), (start + WEEK, start + WEEK)]
    clipped = sorted((max(a, start), min(b, start + WEEK)) for a, b in busy if b >= start and a <= start + WEEK)
    return max(later[0] - earlier[1] for earlier, later in pairwise(clipped))


def _trainee(
    problem: Mapping[str, Any], trainee: Mapping[str, Any], shifts: Sequence[Work], rosters: Rosters
) -> Iterator[str]:
    mentor, first = trainee["mentor"], problem["first_day"]
    for work in shifts:
        if work not in rosters.get(mentor, ()):
            yield f"works on {day(first, work.day)} without the mentor {mentor}"
        if work.day in trainee.get("leave", ()):
            yield f"works on {day(first, work.day)}, a day of leave"


def present(problem: Mapping[str, Any], rosters: Rosters) -> Counter[tuple[str, int]]:
    """People by activity and quarter hour; trainees do not count."""
    people = {one["id"] for one in problem["people"]}
    return Counter(
        (work.activity, quarter)
        for name, shifts in rosters.items()
        if name in people
        for work in shifts
        for quarter in work.quarters
    )


def objective(problem: Mapping[str, Any], rosters: Rosters) -> dict[str, int]:
    """Costs by rule."""
    weights, there = problem["weights"], present(problem, rosters)
    needed = {(name, quarter): people for name, cells in problem["need"].items() for quarter, people in cells}
    inside = (problem["days"] + 1) * MIDNIGHT // QUARTER
    short = Counter[bool]()
    for (name, quarter), people in needed.items():
        short[name == "SUPERVISOR"] += max(0, people - there[name, quarter])
    surplus = sum(
        max(0, people - needed.get(cell, 0))
        for cell, people in there.items()
        if cell[0] != "SUPERVISOR" and cell[1] < inside
    )
    found = {
        "people missing": weights["missing"] * short[False],
        "no supervisor": weights["unsupervised"] * short[True],
        "people too many": weights["surplus"] * surplus,
        "wishes not kept": 0,
        "hours below the contract": 0,
        "nights, weekends and holidays uneven": 0,
        "changed from the published roster": 0,
    }
    for person in problem["people"]:
        for rule, cost in costs(problem, person, rosters[person["id"]]).items():
            found[rule] += cost
    return found


def costs(problem: Mapping[str, Any], person: Mapping[str, Any], shifts: Sequence[Work]) -> dict[str, int]:
    """What one person's shifts cost apart from cover, by rule."""
    weights, by_day = problem["weights"], {work.day: _id(problem, work) for work in shifts}
    unkept = 0
    for wish in person.get("wishes", ()):
        got = by_day.get(wish["day"], "OFF")
        if got != wish["shift"] and not (wish["shift"] == "ANY" and got != "OFF"):
            unkept += wish["weight"]
    below = uneven = 0
    for week in range(problem["days"] // 7):
        ours = [work for work in shifts if work.day // 7 == week]
        away = sum(1 for one in person.get("leave", ()) if one // 7 == week)
        due = max(0, person["least_minutes"] - person["least_minutes"] * away // 5)
        below += max(0, due // QUARTER - sum(work.paid for work in ours) // QUARTER)
        hard = sum(1 for work in ours if unsocial(problem, work))
        uneven += hard * hard + 2 * person.get("past", 0) * hard
    changed = sum(by_day.get(int(one), "OFF") != shift for one, shift in person.get("published", {}).items())
    return {
        "wishes not kept": unkept,
        "hours below the contract": weights["contract"] * below,
        "nights, weekends and holidays uneven": weights["fairness"] * uneven,
        "changed from the published roster": weights["changed"] * changed,
    }


def unsocial(problem: Mapping[str, Any], work: Work) -> bool:
    """A shift that begins on a weekend or holiday, or touches 22:00 to 06:00."""
    if work.day % 7 in (5, 6) or work.day in problem.get("holidays", ()):
        return True
    return any((minute % MIDNIGHT) >= 22 * 60 or (minute % MIDNIGHT) < 6 * 60 for minute in range(work.start, work.end))


def _id(problem: Mapping[str, Any], work: Work) -> str | None:
    """The site's shift that this is, by start, length and a break in the allowed part; None for none."""
    for shift in problem["shifts"]:
        lead, pause = shift.get("break_lead", 0), work.pause
        if (
            shift["start"] == work.start % MIDNIGHT
            and shift["minutes"] == work.end - work.start
            and shift.get("break_minutes", 0) == pause[1] - pause[0]
            and (pause[0] == pause[1] or work.start + lead <= pause[0] <= pause[1] <= work.end - lead)
        ):
            return str(shift["id"])
    return None


def day(first: str, number: int) -> str:
    """A day of the problem with its weekday."""
    return f"{date.fromisoformat(first) + timedelta(days=number):%Y-%m-%d %a}"


def when(first: str, at: int) -> str:
    """A minute of the problem."""
    return f"{day(first, at // MIDNIGHT)} {at % MIDNIGHT // 60:02}:{at % 60:02}"
