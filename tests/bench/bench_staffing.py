"""`python -m tests.bench.bench_staffing`: a week by 15 minutes and twenty skills; closed forms against simulation."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from services.staffing.domain.sizing.erlang import Load
from services.staffing.domain.sizing.performance import performance
from services.staffing.domain.sizing.simulate import Case, simulate
from services.staffing.domain.sizing.size import Target, size
from services.staffing.domain.sizing.validation import SHARES, Comparison, compare, draw, load_of
from tests.bench.beside import ask
from tests.bench.report import Report, quick

CELLS: Final = 7 * 96 * 20
QUARTER: Final = 900.0
SEED: Final = 2_026
PYWORKFORCE: Final = "pyworkforce==0.5.1"
SCRIPT: Final = Path(__file__).with_name("pyworkforce_cells.py")


def main() -> int:
    """Measure and report."""
    report = Report("staffing")
    _cells(report)
    _simulation(report)
    found = [
        compare(case, seed=SEED + number, contacts=100_000 if quick() else 1_000_000)
        for number, case in enumerate(draw(20 if quick() else 200, seed=SEED))
    ]
    _agreement(report, found)
    return 0 if report.finish() else 1


def _cells(report: Report) -> None:
    random = np.random.default_rng(SEED)
    contacts, handling = random.uniform(1, 400, CELLS), random.uniform(100, 400, CELLS)
    patience = random.uniform(60, 400, CELLS)
    impatient, patient = Load.of(contacts / QUARTER, handling, patience), Load.of(contacts / QUARTER, handling)
    level, loss = Target(0.8, 20, abandoned=0.05), Target(0.8, 20, occupancy=0.85)
    size(impatient[np.arange(10)], level)  # imports and caches
    seconds, found = _timed(impatient, level)
    report.add("Erlang A, 80/20 and at most 5 % abandoned", seconds, "CPU s", at_most=0.5, note=f"{CELLS} cells")
    fewer = level.kept(performance(impatient, np.maximum(found - 1, 1), level.within)) & (found > 1)
    report.add("cells that fewer people would do for", float(fewer.sum()), "cells", at_most=0)
    report.add(
        "cells whose promise is not kept",
        float((~level.kept(performance(impatient, found, 20.0))).sum()),
        "cells",
        at_most=0,
    )
    seconds, found = _timed(patient, loss)
    report.add("Erlang C, 80/20 and occupancy at most 85 %", seconds, "CPU s", at_most=0.5, note=f"{CELLS} cells")
    number = 500 if quick() else CELLS
    cells = [list(cell) for cell in zip(contacts[:number], handling[:number], strict=True)]
    theirs = ask(SCRIPT, PYWORKFORCE, cells)
    if theirs is None:
        return
    note = f"{number} cells, one by one"
    report.add("pyworkforce, the same Erlang C cells", theirs["seconds"], "CPU s", note=note)
    apart = int((found[:number] != np.array(theirs["people"])).sum())
    report.add("cells in which pyworkforce says otherwise", float(apart), "cells", at_most=0)


def _timed(load: Load, target: Target) -> tuple[float, np.ndarray]:
    began = time.process_time()
    found = size(load, target)
    return time.process_time() - began, found


def _simulation(report: Report) -> None:
    case = Case(arrivals=0.3, handling=180, patience=300, slots=55)
    began = time.process_time()
    contacts = simulate(case, contacts=400_000).contacts
    report.add(
        "simulated", contacts / (time.process_time() - began), "contacts/CPU s", note="55 people, 98 % offered load"
    )


def _agreement(report: Report, found: list[Comparison]) -> None:
    for name in SHARES:
        apart = [abs(one.differences[name]) for one in found]
        note = f"{len(found)} random cases of the region; root mean square {np.sqrt(np.mean(np.square(apart))):.2f}"
        report.add(f"formula and simulation apart, {name}, worst", max(apart), "points", at_most=1.0, note=note)
    plain = [
        100
        * abs(float(performance(load_of(case), case.slots, case.within, correct=False).of_offered) - said.of_offered)
        for case, said in ((one.case, one.simulated) for one in found)
    ]
    report.add("of_offered without the correction for uneven handling, worst", max(plain), "points")
    noise = max(100 * one.simulated.error for one in found)
    report.add("standard error of the simulation, largest", noise, "points")


if __name__ == "__main__":
    sys.exit(main())
