"""Day rosters as documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from services.staffing.roster.cover import Array, Counts
from services.staffing.roster.days.pricing import DayPricer
from services.staffing.roster.days.rules import Calendar


def encode(calendar: Calendar, rosters: Sequence[tuple[int, Counts]]) -> dict[str, list[list[Any]]]:
    """[day, shift] by person."""
    shifts = len(calendar.shifts)
    return {
        calendar.contracts[kind].name: [
            [int(cell) // shifts, calendar.shifts[int(cell) % shifts].name] for cell in cells
        ]
        for kind, cells in sorted(rosters, key=lambda one: one[0])
    }


def decode(calendar: Calendar, roster: Mapping[str, Any]) -> list[tuple[int, Counts]]:
    """The rosters of a document. Raises ValueError where it does not fit the calendar."""
    number = {one.name: position for position, one in enumerate(calendar.shifts)}
    found = []
    for kind, contract in enumerate(calendar.contracts):
        if contract.name not in roster:
            raise ValueError(f"no roster for {contract.name}")
        try:
            cells = sorted(int(day) * len(number) + number[shift] for day, shift in roster[contract.name])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the roster of {contract.name} is not a list of [day, shift] of this problem") from error
        found.append((kind, np.array(cells, dtype=np.int64)))
    return found


def certificate(calendar: Calendar, prices: Array) -> dict[str, Any]:
    """What proves the bound: prices by shift and day, and the shifts whose limits it counts."""
    rows = prices.reshape(calendar.days, len(calendar.shifts)).T
    return {
        "prices": {shift.name: np.round(row, 6).tolist() for shift, row in zip(calendar.shifts, rows, strict=True)},
        "counted": DayPricer(calendar).counted(np.round(prices, 6)),
    }
