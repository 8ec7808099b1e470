"""Rosters of shifts with activities judged by the rules of the Curtois & Qu multi-activity benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from services.staffing.roster.check.lines import sections
from services.staffing.roster.check.verdict import UnreadableError

QUARTER: Final = 15
MIDNIGHT: Final = 24 * 60
OPENS: Final = 6 * 60
"""The horizon begins at 06:00 of day 0 and ends at 06:00."""
WINDOWS: Final = ((6 * 60, 10 * 60), (14 * 60, 18 * 60), (20 * 60, 24 * 60))


@dataclass(frozen=True, slots=True)
class Work:
    """A shift: minutes after midnight of day 0, and (task, minutes) one after the other."""

    start: int
    tasks: tuple[tuple[int, int], ...]

    @property
    def minutes(self) -> int:
        """How long it is."""
        return sum(minutes for _, minutes in self.tasks)

    @property
    def end(self) -> int:
        """Minutes after midnight of day 0."""
        return self.start + self.minutes

    @property
    def day(self) -> int:
        """The calendar day of its start."""
        return self.start // MIDNIGHT


@dataclass(frozen=True, slots=True)
class Instance:
    """A benchmark file: minutes (least, most) by person; people (least, most) by minute after midnight and task."""

    days: int
    tasks: int
    people: Mapping[str, tuple[int, int]]
    cover: Mapping[tuple[int, int], tuple[int, int]]


def read(path: Path) -> Instance:
    """Read a file. Raises UnreadableError with the line."""
    found, number = sections(path), 1
    people: dict[str, tuple[int, int]] = {}
    cover: dict[tuple[int, int], tuple[int, int]] = {}
    try:
        days, tasks = int(found["HORIZON"][0][1][0]), int(found["TASKS"][0][1][0])
        for number, values in found["STAFF"]:  # noqa: B007 - for the error
            people[values[0]] = (int(values[1]), int(values[2]))
        for number, values in found["COVER"]:  # noqa: B007 - for the error
            hours, minutes = values[1].split("-")[0].split(":")
            at = (int(values[0]) - 1) * MIDNIGHT + int(hours) * 60 + int(minutes)
            cover[at, int(values[2])] = (int(values[3]), int(values[4]))
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableError(path, f"not as the format has it ({error})", number) from error
    return Instance(days, tasks, people, cover)


def present(rosters: Mapping[str, Sequence[Work]]) -> Counter[tuple[int, int]]:
    """People by quarter hour and task."""
    count: Counter[tuple[int, int]] = Counter()
    for works in rosters.values():
        for work in works:
            at = work.start
            for task, minutes in work.tasks:
                count.update((minute, task) for minute in range(at, at + minutes, QUARTER))
                at += minutes
    return count


def objective(instance: Instance, rosters: Mapping[str, Sequence[Work]]) -> dict[str, int]:
    """The squares of the surplus of each quarter hour and task."""
    there = present(rosters)
    cells = set(instance.cover) | set(there)
    return {
        "people too many, squared": sum(max(0, there[one] - instance.cover.get(one, (0, 0))[1]) ** 2 for one in cells)
    }


def broken(instance: Instance, rosters: Mapping[str, Sequence[Work]]) -> list[str]:
    """Each hard rule that is broken, in words."""
    said = [f"{name}: no roster" for name in instance.people if name not in rosters]
    for name, works in rosters.items():
        if name not in instance.people:
            said.append(f"{name}: not a person of this problem")
            continue
        ordered = sorted(works, key=lambda work: work.start)
        said.extend(f"{name}: {words}" for work in ordered for words in _shift(instance, work))
        said.extend(f"{name}: {words}" for words in _row(ordered))
        least, most = instance.people[name]
        minutes = sum(work.minutes for work in works)
        if not least <= minutes <= most:
            said.append(f"{name}: {minutes} minutes, allowed {least} to {most}")
    there = present(rosters)
    said.extend(
        f"{_time(at)}, task {task}: {there[at, task]} people, at least {least}"
        for (at, task), (least, _) in sorted(instance.cover.items())
        if there[at, task] < least
    )
    return said


def _shift(instance: Instance, work: Work) -> Iterator[str]:
    name = f"shift of {_time(work.start)}"
    clock = work.start % MIDNIGHT
    if not any(first <= at <= last for first, last in WINDOWS for at in (clock, clock + MIDNIGHT)):
        yield f"{name} starts outside 06:00-10:00, 14:00-18:00 and 20:00-24:00"
    if not 6 * 60 <= work.minutes <= 10 * 60:
        yield f"{name} lasts {work.minutes} minutes, allowed 360 to 600"
    if work.start % QUARTER or any(minutes % QUARTER for _, minutes in work.tasks):
        yield f"{name} is not in quarter hours"
    if work.start < OPENS or work.end > OPENS + instance.days * MIDNIGHT:
        yield f"{name} leaves the horizon"
    stretches: list[tuple[int, int]] = []
    for task, minutes in work.tasks:
        if not 1 <= task <= instance.tasks:
            yield f"{name} has the unknown task {task}"
        if stretches and stretches[-1][0] == task:
            stretches[-1] = (task, stretches[-1][1] + minutes)
        else:
            stretches.append((task, minutes))
    for task, minutes in stretches:
        if minutes < 60:
            yield f"{name} has task {task} for {minutes} minutes, at least 60 at a stretch"


def _row(ordered: Sequence[Work]) -> Iterator[str]:
    """One start a day, rest between shifts, days in a row."""
    run = 1
    for first, second in pairwise(ordered):
        if first.day == second.day:
            yield f"two shifts start on day {first.day}"
        if second.start - first.end < 14 * 60:
            yield f"{second.start - first.end} minutes of rest before {_time(second.start)}, at least {14 * 60}"
        run = run + 1 if second.day - first.day == 1 else 1
        if run == 6:
            yield f"a sixth working day in a row on day {second.day}"


def _time(at: int) -> str:
    return f"day {at // MIDNIGHT} {at % MIDNIGHT // 60:02}:{at % 60:02}"
