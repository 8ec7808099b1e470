"""A replayed day beside what its log says: offered, answered, abandoned, first response, promises, transfers."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.simulate.checker import Fault
from services.simulate.day import Day
from services.simulate.engine import Outcome

# How far a replay may lie from its log, percentage points.
TOLERANCE = 3.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls of a day. Seconds are waits of the answered; `within` is the share of the answered within the target.

    `breaches` are calls that waited longer than the target, answered or not.
    """

    offered: int
    answered: int
    abandoned: int
    mean: float
    median: float
    p90: float
    within: float
    breaches: int
    transfers: int

    @property
    def abandonment(self) -> float:
        """Share of the offered who gave up, in per cent."""
        return 100 * self.abandoned / self.offered if self.offered else 0.0


@dataclass(frozen=True, slots=True)
class DayReport:
    """One day: the replay, its log, and how the two differ."""

    date: str
    site: str
    seed: int
    target_s: float
    replay: Figures
    log: Figures
    malformed: tuple[tuple[int, str], ...]
    phantoms: int
    left_in_vru: int
    faults: tuple[str, ...]
    checked: dict[str, int]
    decisions: str
    seconds: float

    @property
    def abandonment_off(self) -> float:
        """Replay minus log, percentage points."""
        return self.replay.abandonment - self.log.abandonment

    @property
    def within_off(self) -> float:
        """Replay minus log, percentage points."""
        return self.replay.within - self.log.within

    @property
    def holds(self) -> bool:
        """Whether both shares lie within the tolerance."""
        return abs(self.abandonment_off) <= TOLERANCE and abs(self.within_off) <= TOLERANCE

    def plain(self) -> dict[str, Any]:
        """For machines."""
        return {
            **asdict(self),
            "abandonment_off_points": round(self.abandonment_off, 2),
            "within_off_points": round(self.within_off, 2),
            "holds": self.holds,
        }


def compare(
    day: Day,
    outcome: Outcome,
    *,
    site: str,
    seed: int,
    target_s: float,
    faults: Iterable[Fault],
    checked: dict[str, int],
    transfers: int,
    seconds: float,
) -> DayReport:
    """Put a replay beside its log."""
    lines = list(outcome.lines.values())
    answered = [line.wait for line in lines if line.answered_at is not None]
    gave_up = [line.wait for line in lines if line.answered_at is None]
    return DayReport(
        date=day.date.isoformat(),
        site=site,
        seed=seed,
        target_s=target_s,
        replay=figures(answered, gave_up, target_s, transfers=transfers),
        log=figures(
            [call.wait for call in day.calls if call.answered],
            [call.wait for call in day.calls if call.abandoned],
            target_s,
            transfers=0,
        ),
        malformed=tuple((row.line, row.reason) for row in day.malformed),
        phantoms=day.phantoms,
        left_in_vru=day.left_in_vru,
        faults=tuple(map(str, faults)),
        checked=checked,
        decisions=digest(outcome),
        seconds=round(seconds, 1),
    )


def figures(answered: Sequence[float], gave_up: Sequence[float], target_s: float, *, transfers: int) -> Figures:
    """Figures from waits in seconds."""
    ordered = sorted(answered)
    return Figures(
        offered=len(answered) + len(gave_up),
        answered=len(answered),
        abandoned=len(gave_up),
        mean=statistics.fmean(ordered) if ordered else 0.0,
        median=statistics.median(ordered) if ordered else 0.0,
        p90=statistics.quantiles(ordered, n=10, method="inclusive")[-1] if len(ordered) > 1 else sum(ordered),
        within=100 * sum(wait <= target_s for wait in ordered) / len(ordered) if ordered else 0.0,
        breaches=sum(wait > target_s for wait in (*answered, *gave_up)),
        transfers=transfers,
    )


def digest(outcome: Outcome) -> str:
    """SHA-256 over every decision: equal for equal replays."""
    return hashlib.sha256(json.dumps(outcome.decisions()).encode()).hexdigest()


def rows(report: DayReport) -> list[tuple[str, str, str]]:
    """What, replay, log: for a table."""
    ours, log = report.replay, report.log
    return [
        ("offered", str(ours.offered), str(log.offered)),
        ("answered", str(ours.answered), str(log.answered)),
        ("abandoned", str(ours.abandoned), str(log.abandoned)),
        ("abandonment", f"{ours.abandonment:.1f} %", f"{log.abandonment:.1f} %"),
        ("first response mean", f"{ours.mean:.1f} s", f"{log.mean:.1f} s"),
        ("first response median", f"{ours.median:.1f} s", f"{log.median:.1f} s"),
        ("first response 90th percentile", f"{ours.p90:.1f} s", f"{log.p90:.1f} s"),
        (f"answered within {report.target_s:g} s", f"{ours.within:.1f} %", f"{log.within:.1f} %"),
        ("promises broken", str(ours.breaches), str(log.breaches)),
        ("transfers", str(ours.transfers), "not recorded"),
        ("left in the VRU, not counted above", "not replayed", str(report.left_in_vru)),
        ("phantom rows, no customers", "not replayed", str(report.phantoms)),
        ("malformed rows, skipped", str(len(report.malformed)), str(len(report.malformed))),
    ]
