"""Ratings by people: a supervisor's with sub-scores, colleagues' without names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerMean:
    """The mean of colleagues' ratings; None where so few rated that somebody could be made out (MALL-6.1.3-2)."""

    mean: float | None
    raters: int
    least: int


def peer_mean(ratings: Mapping[str, float], *, person: str, least: int) -> PeerMean:
    """Rater → rating to a mean that names nobody; one's own rating does not count."""
    others = [value for rater, value in sorted(ratings.items()) if rater != person]
    if len(others) < least:
        return PeerMean(None, len(others), least)
    return PeerMean(math.fsum(others) / len(others), len(others), least)


def dimension(marks: Mapping[str, int], names: Sequence[str]) -> float | None:
    """The mean of a dimension's sub-scores; None as long as one is missing."""
    if not names or any(name not in marks for name in names):
        return None
    return math.fsum(marks[name] for name in names) / len(names)


def normal(value: float, worst: float, best: float) -> float:
    """A mark as 0 to 1 of its scale, so that inputs of different scales can be weighed together (ENTITIES C6)."""
    return min(1.0, max(0.0, (value - worst) / (best - worst)))


def composite(parts: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """The overall score of 0 to 100 from parts of 0 to 1; None as long as a part that weighs something is missing."""
    used = {name: weight for name, weight in weights.items() if weight > 0}
    if not used or any(parts.get(name) is None for name in used):
        return None
    total = math.fsum(used.values())
    return 100 * math.fsum(weight * (parts[name] or 0.0) for name, weight in used.items()) / total
