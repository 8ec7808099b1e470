"""`make bench-site-roster`: a site's two weeks with forty people: first roster, bound, gap, and what the solver holds.

Writes docs/operations/solver.json, by which the chart's limits of the solver are judged; QUICK=1 writes nothing.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

from services.staffing.roster.search.team import Team
from services.staffing.roster.site import document, prepare
from services.staffing.solver import judge
from tests.bench.memory import resident
from tests.bench.report import quick

FILE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "solver.json"
PEOPLE, WEEKS, WORKERS, SECONDS = 40, 2, 2, 20.0 if quick() else 180.0
SUPERVISORS_EVERY = 8


def problem(*, people: int, weeks: int, seed: int) -> dict[str, Any]:
    """A desk from 08:00 to 22:00 with a night watch: three kinds of work, full and part time, wishes for days off."""
    draw, days = random.Random(seed), 7 * weeks
    shifts = [_shift("DAY", hour, 540, 60) for hour in range(8, 14)]
    shifts += [_shift("PART", hour, 300, 0) for hour in (9, 12, 15, 17)] + [_shift("NIGHT", 22, 600, 60)]
    staff = []
    for number in range(people):
        skills = ["GENERAL", "AFTERSALES"] if number % 3 == 0 else ["GENERAL"]
        leads = number % SUPERVISORS_EVERY == SUPERVISORS_EVERY - 1
        wishes = [{"day": draw.randrange(days), "shift": "OFF", "weight": 40}] if number % 4 == 1 else []
        staff.append(
            {
                "id": f"p{number:03}",
                "activities": ["SUPERVISOR"] if leads else skills,
                "least_minutes": 1_200 if number % 5 == 4 else 2_400,
                "most_minutes": 2_640,
                "wishes": wishes,
                "past": draw.randrange(2),
            }
        )
    need: dict[str, list[tuple[int, int]]] = {"GENERAL": [], "AFTERSALES": [], "SUPERVISOR": []}
    for slot in range(days * 96):
        hour, busy = slot % 96 / 4, 0.7 if slot // 96 % 7 > 4 else 1.0
        open_ = 8 <= hour < 22
        general = round(busy * people / 3.2 * (1 - abs(hour - 14) / 10)) if open_ else 1
        need["GENERAL"].append((slot, general))
        if open_:
            need["AFTERSALES"].append((slot, max(1, people // 16)))
            need["SUPERVISOR"].append((slot, 1))
    return {
        "format": "site",
        "site": "bench",
        "first_day": "2026-12-07",
        "days": days,
        "limits": {"weekly_rest_minutes": 1_440, "between_minutes": 660, "days_in_row": 6},
        "shifts": shifts,
        "activities": sorted(need),
        "people": staff,
        "need": need,
        "weights": {},
    }


def _shift(name: str, hour: int, minutes: int, rest: int) -> dict[str, Any]:
    lead = 120 if rest else 0
    return {
        "id": f"{name}@{hour:02}00",
        "start": 60 * hour,
        "minutes": minutes,
        "break_minutes": rest,
        "break_lead": lead,
    }


def main() -> None:
    """Search, have it checked, and say what it took."""
    posed = problem(people=PEOPLE, weeks=WEEKS, seed=1)
    posed["weights"] = {
        "missing": 100, "unsupervised": 200, "surplus": 10, "contract": 4, "fairness": 30, "changed": 60,
    }  # fmt: skip
    began = time.monotonic()
    prepared = prepare.prepare(json.dumps(posed))
    cost, start = prepare.begin(prepared.week, 1, {})
    first = time.monotonic() - began
    team = Team(
        partial(prepare.problem, prepared.raw), workers=WORKERS, seed=1, seconds=SECONDS, tick=1.0, once_bounded=True
    )
    team.best.cost, team.best.rosters = cost, start
    memory = 0.0
    for _ in team.run(start):
        memory = max(memory, resident(os.getpid()))
    best = team.best
    solution: dict[str, Any] = {"roster": document.encode(prepared.week, best.rosters or [])}
    if best.prices is not None:
        solution["certificate"] = document.certificate(prepared.week, best.prices)
    checked = judge(json.loads(prepared.raw), solution)
    total = sum(checked["costs"].values())
    found = {
        "command": "make bench-site-roster",
        "measured": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
        "people": PEOPLE,
        "weeks": WEEKS,
        "workers": WORKERS,
        "seconds": round(best.seconds, 1),
        "first_roster": cost,
        "first_roster_seconds": round(first, 1),
        "objective": total,
        "bound": checked["bound"],
        "gap": round((total - checked["bound"]) / total, 4) if checked["bound"] is not None and total else None,
        "hard_rules_broken": len(checked["broken"]),
        "memory_mib": round(memory, 1),
    }
    print(json.dumps(found, indent=1))
    if not quick():
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
