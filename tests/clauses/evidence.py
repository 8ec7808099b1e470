"""What tests have shown: `.kefu/clauses.json`, written by every test run, read by the reports."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Shown:
    """One marked test: its clauses, `outcome` ("passed", "failed" or "error" outside the test itself), calls made."""

    clauses: tuple[str, ...]
    outcome: str
    calls: int


def file() -> Path:
    """Where evidence is kept; `KEFU_CLAUSES` moves it."""
    return Path(os.environ.get("KEFU_CLAUSES", ROOT / ".kefu" / "clauses.json"))


def read(path: Path | None = None) -> dict[str, Shown]:
    """Evidence by test id; empty before the first run. Tests whose file is gone are left out."""
    path = path or file()
    if not path.exists():
        return {}
    stored = json.loads(path.read_text("utf-8"))
    return {
        test: Shown(tuple(entry["clauses"]), entry["outcome"], entry["calls"])
        for test, entry in stored.items()
        if (ROOT / test.split("::")[0]).exists()
    }


def add(found: Mapping[str, Shown], collected: Mapping[str, Collection[str]]) -> None:
    """Merge the evidence of one run. `collected` names the marked tests of each file that was read whole: what such a
    file no longer holds, renamed or without its mark, is forgotten. The workers of a run add one after the other."""
    file().parent.mkdir(parents=True, exist_ok=True)
    with file().with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _merge(found, collected)


def _merge(found: Mapping[str, Shown], collected: Mapping[str, Collection[str]]) -> None:
    stored = read()
    gone = {test for test in stored if test not in collected.get(test.split("::")[0], {test})}
    merged = {test: entry for test, entry in stored.items() if test not in gone} | dict(found)
    fresh = file().with_suffix(".fresh")
    fresh.write_text(json.dumps({test: asdict(merged[test]) for test in sorted(merged)}, indent=1), "utf-8")
    fresh.replace(file())


def passing(found: Mapping[str, Shown]) -> dict[str, list[str]]:
    """Clause → its passing tests."""
    shown: dict[str, list[str]] = {}
    for test, entry in sorted(found.items()):
        if entry.outcome == "passed":
            for clause in entry.clauses:
                shown.setdefault(clause, []).append(test)
    return shown
