"""Files of the Curtois & Qu shift scheduling benchmarks (schedulingbenchmarks.org)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from services.staffing.roster.days.rules import Calendar, Contract, Shift
from services.staffing.roster.files import Line, sections

SECTIONS: Final = ("HORIZON", "SHIFTS", "STAFF", "DAYS_OFF", "SHIFT_ON_REQUESTS", "SHIFT_OFF_REQUESTS", "COVER")


def read(path: Path) -> Calendar:
    """Read a file. Raises FileRefusedError with the line and the reason."""
    found = sections(path, SECTIONS)
    if len(found["HORIZON"]) != 1:
        raise (found["HORIZON"] or [Line(path, 1, ())])[-1].refused("the horizon is one number of days")
    days = found["HORIZON"][0].whole(0, "the number of days", least=1, most=1_000)
    shifts = _shifts(found["SHIFTS"], path)
    number = {one.name: position for position, one in enumerate(shifts)}
    contracts = _off(_contracts(found["STAFF"], number, path), found["DAYS_OFF"], days)
    wishes = np.zeros((len(contracts), days, len(shifts)))
    dues = np.zeros(len(contracts))
    person = {one.name: position for position, one in enumerate(contracts)}
    for sign, section in ((-1, "SHIFT_ON_REQUESTS"), (1, "SHIFT_OFF_REQUESTS")):
        for line in found[section]:
            who = _known(line, 0, "person", person)
            weight = line.whole(3, "the weight")
            wishes[who, line.whole(1, "the day", most=days - 1), _known(line, 2, "shift", number)] += sign * weight
            dues[who] += weight if sign < 0 else 0
    need = np.zeros((days, len(shifts)), dtype=np.int64)
    under, over = np.zeros(need.shape), np.zeros(need.shape)
    seen: set[tuple[int, int]] = set()
    for line in found["COVER"]:
        cell = line.whole(0, "the day", most=days - 1), _known(line, 1, "shift", number)
        if cell in seen:
            raise line.refused(f"the cover of day {cell[0]} and shift {shifts[cell[1]].name} comes twice")
        seen.add(cell)
        need[cell] = line.whole(2, "the requirement")
        under[cell], over[cell] = line.whole(3, "the weight for under"), line.whole(4, "the weight for over")
    return Calendar(days, shifts, contracts, wishes, dues, need, under, over)


def _known(line: Line, position: int, what: str, names: Mapping[str, int]) -> int:
    name = line.text(position, f"the {what}")
    if name not in names:
        raise line.refused(f"unknown {what} {name!r}; known are {', '.join(list(names)[:12])}")
    return names[name]


def _shifts(lines: Sequence[Line], path: Path) -> list[Shift]:
    if not lines:
        raise Line(path, 1, ()).refused("no shift is declared")
    names = [line.text(0, "the shift") for line in lines]
    shifts = []
    for position, (line, name) in enumerate(zip(lines, names, strict=True)):
        if name in names[:position]:
            raise line.refused(f"shift {name} comes twice")
        banned = [one.strip() for one in (line.values[2] if len(line.values) > 2 else "").split("|") if one.strip()]
        for one in banned:
            if one not in names:
                raise line.refused(f"unknown shift {one!r} may not follow {name}")
        shifts.append(Shift(name, line.whole(1, "the length", least=1, most=1_440), frozenset(banned)))
    return shifts


def _contracts(lines: Sequence[Line], shifts: Mapping[str, int], path: Path) -> list[Contract]:
    found: dict[str, Contract] = {}
    for line in lines:
        name = line.text(0, "the person")
        if name in found:
            raise line.refused(f"person {name} comes twice")
        one = Contract(
            name,
            _most(line, shifts),
            line.whole(2, "the most minutes"),
            line.whole(3, "the least minutes"),
            line.whole(4, "the most consecutive shifts", least=1),
            line.whole(5, "the least consecutive shifts", least=1),
            line.whole(6, "the least consecutive days off", least=1),
            line.whole(7, "the most weekends"),
        )
        if one.least_minutes > one.most_minutes:
            raise line.refused(f"{name}: at least {one.least_minutes} minutes but at most {one.most_minutes}")
        if one.least_days_on > one.most_days_on:
            raise line.refused(
                f"{name}: at least {one.least_days_on} consecutive shifts but at most {one.most_days_on}"
            )
        found[name] = one
    if not found:
        raise Line(path, 1, ()).refused("no person is declared")
    return list(found.values())


def _most(line: Line, shifts: Mapping[str, int]) -> dict[str, int]:
    most: dict[str, int] = {}
    for part in line.text(1, "the most shifts of each kind").split("|"):
        name, _, number = part.partition("=")
        if name.strip() not in shifts or not number.strip().isdigit():
            raise line.refused(f"{part!r} is not SHIFT=NUMBER with a declared shift")
        most[name.strip()] = int(number)
    return most


def _off(contracts: list[Contract], lines: Sequence[Line], days: int) -> list[Contract]:
    off: dict[str, set[int]] = {one.name: set() for one in contracts}
    for line in lines:
        name = line.text(0, "the person")
        if name not in off:
            raise line.refused(f"unknown person {name!r}")
        off[name].update(line.whole(position, "the day off", most=days - 1) for position in range(1, len(line.values)))
    return [replace(one, off=frozenset(off[one.name])) for one in contracts]
