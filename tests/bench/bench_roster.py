"""`python -m tests.bench.bench_roster [INSTANCE …]`: the public rostering benchmarks, checked and proved.

Instances are numbers of the Curtois set or names of the multi-activity set; all that are present by default.
`ROSTER_SECONDS` is the time limit of each (600), `ROSTER_WORKERS` the processes that search (2).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from services.staffing.roster.check.judge import judge
from services.staffing.roster.solve import Run
from tests.bench.report import Report, quick

SHARED: Final = Path(os.environ.get("KEFU_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
FOLDERS: Final = {"curtois": SHARED / "bench" / "curtois", "multi-activity": SHARED / "bench" / "multi_activity"}
TARGETS: Final = {
    "1": 607,
    "2": 828,
    "3": 1001,
    "4": 1716,
    "5": 1143,
    "6": 1950,
    "7": 1056,
    "8": 1300,
    "9": 450,
    "10": 4631,
    "11": 3443,
    "12": 4040,
    "14": 1278,
    "16": 3225,
    "18": 4600,
    "20": 5150,
    "1_7_10_1": 383,
    "10_7_20_3": 193,
}
"""Objectives to reach: the best known, but for 9, 18 and 20; the reference rosters of the other set."""
GAPS: Final = {**dict.fromkeys(("2", "3", "4", "5", "6", "7", "8", "10", "11", "12", "14", "16"), 1.0), "18": 4.0}
"""Proved gaps to reach, per cent."""


def main() -> int:
    """Measure and report."""
    report = Report("roster")
    wanted = sys.argv[1:] or (["2", "3", "4"] if quick() else _present())
    if not wanted:
        sys.stdout.write(f"No benchmark files in {SHARED / 'bench'}; say with KEFU_SHARED where they are.\n")
        return 0
    seconds = 15.0 if quick() else float(os.environ.get("ROSTER_SECONDS", "600"))
    for name in wanted:
        _measure(report, name, seconds)
    return 0 if report.finish() else 1


def _present() -> list[str]:
    days = sorted((path.stem.removeprefix("Instance") for path in FOLDERS["curtois"].glob("*.txt")), key=int)
    floors = sorted(
        (path.stem for path in FOLDERS["multi-activity"].glob("*.txt")), key=lambda one: int(one.split("_")[0])
    )
    return days + floors


def _measure(report: Report, name: str, seconds: float) -> None:
    kind = "curtois" if name.isdigit() else "multi-activity"
    file = FOLDERS[kind] / (f"Instance{name}.txt" if name.isdigit() else f"{name}.txt")
    run = Run(kind, file, int(os.environ.get("ROSTER_WORKERS", "2")), 1, seconds)
    first = 0.0
    for one in run.progress():
        first = first or (one.seconds if one.rosters is not None else 0.0)
    if run.best.rosters is None:
        report.add(f"{name}: objective", float("inf"), "", at_most=TARGETS.get(name), note=f"none in {seconds:g} s")
        return
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "roster.json"
        run.write(to)
        verdict = judge(file, to)
    note = f"first roster {first:.0f} s, end {run.best.seconds:.0f} s; {len(verdict.broken)} hard rules broken"
    report.add(f"{name}: objective", verdict.total, "", at_most=TARGETS.get(name), note=note)
    if verdict.gap is not None:
        note = f"bound {verdict.bound:.2f}, proved again by the checker"
        report.add(f"{name}: gap", 100 * verdict.gap, "%", at_most=GAPS.get(name), note=note)


if __name__ == "__main__":
    sys.exit(main())
