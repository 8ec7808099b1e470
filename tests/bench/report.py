"""How every benchmark reports: a table for people, `.kefu/bench/NAME.json` for the record.

    report = Report("timers")
    report.add("lateness p99", 7.6, "ms", at_most=100)
    report.add("AppendMessage at 64 in flight", 2_900, "calls/s", floor=5_200, at_least_of_floor=0.45)
    report.finish()

With `QUICK=1` a benchmark runs under a minute and never supplies a result: nothing holds and no file is written.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

QUICK_NOTE = "QUICK=1: a look, never a result"


def quick() -> bool:
    """Say whether this is a quick run."""
    return os.environ.get("QUICK", "") not in {"", "0"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. `target` is in the figure's unit, or a ratio to `floor` where there is one; None where none is set."""

    figure: str
    value: float
    unit: str
    floor: float | None
    target: float | None
    holds: bool | None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value as a share of the floor measured in the same run."""
        return None if not self.floor else self.value / self.floor


class Report:
    """The figures of one run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: list[Figure] = []

    def add(
        self,
        figure: str,
        value: float,
        unit: str,
        *,
        floor: float | None = None,
        at_most: float | None = None,
        at_least: float | None = None,
        at_most_of_floor: float | None = None,
        at_least_of_floor: float | None = None,
        note: str = "",
    ) -> None:
        """Add a figure with at most one target; the `…_of_floor` ones compare value / floor."""
        compared = value / floor if floor else value
        upper = at_most if at_most is not None else at_most_of_floor
        lower = at_least if at_least is not None else at_least_of_floor
        holds: bool | None = None
        if not quick() and upper is not None:
            holds = (value if at_most is not None else compared) <= upper
        elif not quick() and lower is not None:
            holds = (value if at_least is not None else compared) >= lower
        target = upper if upper is not None else lower
        self.figures.append(Figure(figure, value, unit, floor, target, holds, QUICK_NOTE if quick() else note))

    def finish(self) -> bool:
        """Print the table, write the file; returns False when a figure with a target does not hold."""
        console = Console(width=140)
        console.print(self._table())
        console.print(_machine(), highlight=False)
        if quick():
            return True
        folder = Path(os.environ.get("KEFU_HOME", ".kefu")) / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(figure) for figure in self.figures], ensure_ascii=False, indent=1)
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")
        return all(figure.holds is not False for figure in self.figures)

    def _table(self) -> Table:
        table = Table(title=f"bench-{self.name}" + (f" ({QUICK_NOTE})" if quick() else ""))
        for heading in ("figure", "value", "unit", "floor", "ratio", "target", "holds", "note"):
            table.add_column(heading, justify="left" if heading in {"figure", "unit", "note"} else "right")
        for one in self.figures:
            holds = {True: "yes", False: "NO", None: "–"}[one.holds]
            numbers = [_number(one.value), one.unit, _number(one.floor), _number(one.ratio), _number(one.target)]
            table.add_row(one.figure, *numbers, holds, one.note)
        return table


def percentile(sample: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of a sample, `share` in (0, 1]; not a number for an empty one."""
    ordered = sorted(sample)
    return ordered[max(0, round(share * len(ordered)) - 1)] if ordered else float("nan")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _machine() -> str:
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load at the end {load:.1f}"
    )
