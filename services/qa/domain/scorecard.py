"""A period's figures of a person become a score or a grade, by the method of the site's profile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

WEIGHTED_SUM, ALL_THRESHOLDS, LISTED = "WEIGHTED_SUM", "ALL_THRESHOLDS", "LISTED"
NORMALISE: Final = "NORMALISE"
EXCELLENT, GOOD, QUALIFIED, UNQUALIFIED = "EXCELLENT", "GOOD", "QUALIFIED", "UNQUALIFIED"
COMPUTED, IMPORTED, MANUAL = "COMPUTED", "IMPORTED", "MANUAL"


@dataclass(frozen=True, slots=True)
class Step:
    """From `value` on (or down to it, where less is better) the item is worth `share` of its weight."""

    value: float
    share: float


@dataclass(frozen=True, slots=True)
class Item:
    """One indicator: metric, group, weight %, target in the metric's unit, whether less is better, and its steps."""

    metric: str
    group: str = ""
    weight: float | None = None
    target: float | None = None
    lower: bool = False
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """The rules of a site's scorecard. `curve` is (mean rating, coefficient) by rising rating."""

    method: str
    items: tuple[Item, ...]
    groups: Mapping[str, float] = field(default_factory=dict)
    unassigned: str = ""
    bars: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    failing_min: int = 1
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value: COMPUTED from events, IMPORTED or entered by hand; from `count` cases."""

    value: float
    source: str = COMPUTED
    count: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """An item's part of the result: weight after the group's gap was settled, share of it reached, points."""

    item: Item
    figure: Figure | None
    weight: float | None
    share: float | None

    @property
    def points(self) -> float | None:
        """Points that the item gives; None where it has no weight or no value."""
        return None if self.weight is None or self.share is None else self.weight * self.share

    @property
    def missed(self) -> bool:
        """Whether there is a value and it is short of the target."""
        return self.share is not None and self.share < 1


@dataclass(frozen=True, slots=True)
class Result:
    """A score of 0 to 100, a grade, or neither; `unmeasured` are items without a value.

    `score` counts what has a value, as if it were all: it is `complete` only where nothing is missing. `coefficient`
    follows from the mean rating (ONLINE-4.2.1-2), `imported` are items whose value no event gave.
    """

    lines: tuple[Line, ...]
    score: float | None
    grade: str
    coefficient: float | None
    unmeasured: tuple[str, ...]
    imported: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every item has a value."""
        return not self.unmeasured


def share(item: Item, value: float) -> float | None:
    """How much of an item is reached, 0 to 1: its best step, or the way to its target; None without either."""
    if item.steps:
        reached = [one.share for one in item.steps if (value <= one.value if item.lower else value >= one.value)]
        return max(reached, default=0.0)
    if item.target is None:
        return None
    if value <= item.target if item.lower else value >= item.target:
        return 1.0
    if item.lower:
        return item.target / value
    return max(0.0, value / item.target)


def weights(card: Card) -> dict[str, float | None]:
    """The weight that each item counts with, after the profile's policy for what no item holds (ENTITIES C7).

    NORMALISE lets a group's items grow to fill it (10:5 of 20 become 13.33:6.67); otherwise the best score stays short
    by the gap. A listed scorecard weighs its items alike unless the site set weights.
    """
    if card.method == LISTED:
        if all(one.weight is None for one in card.items):
            return {one.metric: 100 / len(card.items) for one in card.items}
        return {one.metric: one.weight or 0.0 for one in card.items}
    if card.method != WEIGHTED_SUM:
        return dict.fromkeys((one.metric for one in card.items), None)
    held = {group: math.fsum(one.weight or 0.0 for one in card.items if one.group == group) for group in card.groups}
    return {
        one.metric: (one.weight or 0.0)
        * (card.groups[one.group] / held[one.group] if card.unassigned == NORMALISE and held[one.group] else 1.0)
        for one in card.items
    }


def compute(card: Card, figures: Mapping[str, Figure], *, rating: float | None = None) -> Result:
    """Score or grade a person's figures by metric id; `rating` is the customers' mean rating, if any rated."""
    weight = weights(card)
    lines = []
    for item in card.items:
        figure = figures.get(item.metric)
        reached = None if figure is None else share(item, figure.value)
        lines.append(Line(item, figure, weight[item.metric], reached))
    return Result(
        lines=tuple(lines),
        score=_score(lines),
        grade=_grade(card, figures),
        coefficient=None if rating is None else coefficient(card.curve, rating),
        unmeasured=tuple(one.item.metric for one in lines if one.figure is None),
        imported=tuple(one.item.metric for one in lines if one.figure and one.figure.source != COMPUTED),
    )


def coefficient(curve: Sequence[tuple[float, float]], rating: float) -> float | None:
    """The factor of a mean rating: linear between the curve's points, level beyond its ends; None without a curve."""
    if not curve:
        return None
    if rating <= curve[0][0]:
        return curve[0][1]
    for (left, below), (right, above) in itertools.pairwise(curve):
        if rating <= right:
            return below + (above - below) * (rating - left) / (right - left)
    return curve[-1][1]


def _score(lines: Sequence[Line]) -> float | None:
    counted = [one for one in lines if one.points is not None]
    held = math.fsum(one.weight or 0.0 for one in counted)
    if not held:
        return None
    whole = math.fsum(one.weight or 0.0 for one in lines)
    return math.fsum(one.points or 0.0 for one in counted) * whole / held


def _grade(card: Card, figures: Mapping[str, Figure]) -> str:
    """The best grade whose bar every item reaches (TAOBAO-3-3.3); empty where a missing value leaves it open.

    `failing_min` items below the lowest bar fail the whole, whatever is missing.
    """
    if card.method != ALL_THRESHOLDS:
        return ""
    lower = {one.metric: one.lower for one in card.items}

    def below(grade: str) -> int:
        return sum(
            (figures[metric].value > bar) if lower[metric] else (figures[metric].value < bar)
            for metric, bar in card.bars[grade].items()
            if metric in figures
        )

    if below(QUALIFIED) >= card.failing_min:
        return UNQUALIFIED
    if any(one.metric not in figures for one in card.items):
        return ""
    return next((grade for grade in (EXCELLENT, GOOD) if not below(grade)), QUALIFIED)
