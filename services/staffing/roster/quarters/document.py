"""Quarter-hour rosters as documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from services.staffing.roster.cover import Array, Counts
from services.staffing.roster.quarters.rules import DAY, OPENING, STEP_MINUTES, Floor, kinds


def encode(floor: Floor, rosters: Sequence[tuple[int, Counts]]) -> dict[str, list[dict[str, Any]]]:
    """Shifts with day, start and [task, minutes] by person; people of a kind take its rosters in turn."""
    waiting: dict[int, list[Counts]] = {}
    for kind, cells in rosters:
        waiting.setdefault(kind, []).append(cells)
    return {
        one.name: [_shift(floor, part) for part in _shifts(floor, waiting[kind].pop(0))]
        for one, kind in zip(floor.people, kinds(floor), strict=True)
    }


def _shifts(floor: Floor, cells: Counts) -> list[Counts]:
    """Cells shift by shift: rest lies between two."""
    return np.split(cells, np.flatnonzero(np.diff(cells // floor.tasks) > 1) + 1) if len(cells) else []


def _shift(floor: Floor, cells: Counts) -> dict[str, Any]:
    day, clock = divmod(int(cells[0]) // floor.tasks + OPENING, DAY)
    tasks = [
        [task + 1, STEP_MINUTES * len(list(run))] for task, run in groupby(int(cell) % floor.tasks for cell in cells)
    ]
    return {"day": day, "start": f"{clock // 4:02}:{clock % 4 * STEP_MINUTES:02}", "tasks": tasks}


def decode(floor: Floor, roster: Mapping[str, Any]) -> list[tuple[int, Counts]]:
    """The rosters of a document. Raises ValueError where it does not fit."""
    found = []
    for one, kind in zip(floor.people, kinds(floor), strict=True):
        if one.name not in roster:
            raise ValueError(f"no roster for person {one.name}")
        cells: list[int] = []
        for shift in roster[one.name]:
            hours, minutes = str(shift["start"]).split(":")
            step = int(shift["day"]) * DAY + (int(hours) * 60 + int(minutes)) // STEP_MINUTES - OPENING
            for task, length in shift["tasks"]:
                worked = np.arange(step, step + int(length) // STEP_MINUTES)
                cells.extend((worked * floor.tasks + int(task) - 1).tolist())
                step += int(length) // STEP_MINUTES
        cells.sort()
        if cells and not 0 <= cells[0] <= cells[-1] < floor.least.size:
            raise ValueError(f"the roster of person {one.name} leaves the horizon")
        found.append((kind, np.array(cells, dtype=np.int64)))
    return found


def certificate(floor: Floor, prices: Array) -> dict[str, Any]:
    """What proves the bound: prices by task and step."""
    rows = prices.reshape(floor.days * DAY, floor.tasks).T
    return {"prices": {str(task + 1): np.round(row, 6).tolist() for task, row in enumerate(rows)}}
