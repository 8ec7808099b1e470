"""Rosters of one shift a day judged by the rules of the Curtois & Qu shift scheduling benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from services.staffing.roster.check.lines import sections
from services.staffing.roster.check.verdict import UnreadableError

Plan = Sequence[str | None]
"""A person's shift of each day, None for a day off."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Person:
    """Limits of one person, as in the file."""

    most: Mapping[str, int]
    most_minutes: int
    least_minutes: int
    most_on: int
    least_on: int
    least_off: int
    most_weekends: int


@dataclass(frozen=True, slots=True)
class Instance:
    """A benchmark file: requests `on` and `off` by person, day, shift; cover (need, under, over) by day and shift."""

    days: int
    minutes: Mapping[str, int]
    banned: Mapping[str, frozenset[str]]
    people: Mapping[str, Person]
    free: Mapping[str, frozenset[int]]
    on: Mapping[tuple[str, int, str], int]
    off: Mapping[tuple[str, int, str], int]
    cover: Mapping[tuple[int, str], tuple[int, int, int]]


def read(path: Path) -> Instance:
    """Read a file. Raises UnreadableError with the line."""
    found, number = sections(path), 1
    try:
        days = int(found["HORIZON"][0][1][0])
        minutes, banned, people = {}, {}, {}
        for number, values in found["SHIFTS"]:  # noqa: B007 - for the error
            minutes[values[0]] = int(values[1])
            banned[values[0]] = frozenset(values[2].split("|")) - {""} if len(values) > 2 else frozenset[str]()
        for number, values in found["STAFF"]:  # noqa: B007 - for the error
            most = {name: int(limit) for name, limit in (part.split("=") for part in values[1].split("|"))}
            people[values[0]] = Person(most, *(int(value) for value in values[2:8]))
        free = {name: frozenset[int]() for name in people}
        for number, values in found["DAYS_OFF"]:  # noqa: B007 - for the error
            free[values[0]] |= {int(day) for day in values[1:]}
        requests: dict[str, Counter[tuple[str, int, str]]] = {"ON": Counter(), "OFF": Counter()}
        for kind, weights in requests.items():
            for number, values in found[f"SHIFT_{kind}_REQUESTS"]:  # noqa: B007 - for the error
                weights[values[0], int(values[1]), values[2]] += int(values[3])
        cover = {}
        for number, values in found["COVER"]:  # noqa: B007 - for the error
            cover[int(values[0]), values[1]] = (int(values[2]), int(values[3]), int(values[4]))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise UnreadableError(path, f"not as the format has it ({error})", number) from error
    return Instance(days, minutes, banned, people, free, requests["ON"], requests["OFF"], cover)


def objective(instance: Instance, plans: Mapping[str, Plan]) -> dict[str, int]:
    """Costs by rule. A request for a shift costs its weight unless that very shift is worked."""
    present = Counter((day, shift) for plan in plans.values() for day, shift in enumerate(plan) if shift)
    works = {(name, day, shift) for name, plan in plans.items() for day, shift in enumerate(plan) if shift}
    cover = instance.cover.items()
    return {
        "shift requested but not worked": sum(weight for key, weight in instance.on.items() if key not in works),
        "shift worked against a request": sum(weight for key, weight in instance.off.items() if key in works),
        "people missing": sum(under * max(0, need - present[cell]) for cell, (need, under, _) in cover),
        "people too many": sum(over * max(0, present[cell] - need) for cell, (need, _, over) in cover),
    }


def broken(instance: Instance, plans: Mapping[str, Plan]) -> list[str]:
    """Each hard rule that is broken, in words."""
    said = [f"{name}: no roster" for name in instance.people if name not in plans]
    for name, plan in plans.items():
        if name not in instance.people:
            said.append(f"{name}: not a person of this problem")
        else:
            said.extend(f"{name}: {words}" for words in _person(instance, name, plan))
    return said


def _person(instance: Instance, name: str, plan: Plan) -> Iterator[str]:
    person = instance.people[name]
    unknown = {shift for shift in plan if shift} - set(instance.minutes)
    if unknown:
        yield f"unknown shift {', '.join(sorted(unknown))}"
        return
    for day in sorted(instance.free[name]):
        if plan[day]:
            yield f"works {plan[day]} on {_day(day)}, a day off"
    for day, (first, second) in enumerate(pairwise(plan)):
        if first and second and second in instance.banned[first]:
            yield f"{second} on {_day(day + 1)} follows {first}, which is not allowed"
    for shift, count in Counter(shift for shift in plan if shift).items():
        if count > person.most.get(shift, instance.days):
            yield f"{count} shifts {shift}, at most {person.most[shift]}"
    minutes = sum(instance.minutes[shift] for shift in plan if shift)
    if minutes > person.most_minutes:
        yield f"{minutes} minutes, at most {person.most_minutes}"
    if minutes < person.least_minutes:
        yield f"{minutes} minutes, at least {person.least_minutes}"
    yield from _runs(instance, person, plan)
    weekends = {day // 7 for day, shift in enumerate(plan) if shift and day % 7 > 4}
    if len(weekends) > person.most_weekends:
        yield f"works on {len(weekends)} weekends, at most {person.most_weekends}"


def _runs(instance: Instance, person: Person, plan: Plan) -> Iterator[str]:
    """Consecutive days; a run that touches the start or the end of the horizon counts as long enough."""
    start = 0
    for works, days in groupby(plan, bool):
        length = len(list(days))
        inside = start > 0 and start + length < instance.days
        if works and length > person.most_on:
            yield f"{length} days in a row from {_day(start)}, at most {person.most_on}"
        if works and inside and length < person.least_on:
            yield f"{length} days in a row from {_day(start)}, at least {person.least_on}"
        if not works and inside and length < person.least_off:
            yield f"{length} days off in a row from {_day(start)}, at least {person.least_off}"
        start += length


def _day(day: int) -> str:
    return f"day {day} ({WEEKDAYS[day % 7]})"
