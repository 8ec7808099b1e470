"""Scorecards: weights add up, and what no item holds is decided on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from kefu.policy.v1 import profile_pb2, quality_pb2

from services.policy.faults import Fault

NAMED = {
    "response_speed": quality_pb2.DIRECTION_LOWER,
    "online_time": quality_pb2.DIRECTION_HIGHER,
    "volume": quality_pb2.DIRECTION_HIGHER,
    "csat": quality_pb2.DIRECTION_HIGHER,
    "resolution": quality_pb2.DIRECTION_HIGHER,
    "standards": quality_pb2.DIRECTION_LOWER,
    "conversion": quality_pb2.DIRECTION_HIGHER,
    "knowledge": quality_pb2.DIRECTION_HIGHER,
}
"""The indicators that a written rule names, and which way each is better."""

GRADES = ("excellent", "good", "qualified")
TOLERANCE = 1e-6


def items(card: quality_pb2.ScorecardPolicy) -> dict[str, tuple[str, quality_pb2.ScorecardItem]]:
    """All items of a scorecard: metric id → (path, item)."""
    found = {field.name: (f"scorecard.{field.name}", item) for field, item in card.ListFields() if field.name in NAMED}
    return found | {name: (f"scorecard.items.{name}", item) for name, item in sorted(card.items.items())}


def check(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    """Faults of the scorecard section."""
    if not message.HasField("scorecard"):
        return
    card = message.scorecard
    for name in sorted(set(card.items) & set(NAMED)):
        yield Fault(f"scorecard.items.{name}", "has a section of its own", f"Write it as scorecard.{name}")
    for name, item in sorted(card.items.items()):
        if not item.direction:
            yield Fault(f"scorecard.items.{name}.direction", "is missing", "Write HIGHER or LOWER, whichever is better")
    for name, (path, item) in sorted(items(card).items()):
        lower = (item.direction or NAMED.get(name)) == quality_pb2.DIRECTION_LOWER
        ordered = sorted(item.steps, key=lambda step: step.value, reverse=lower)
        if any(better.share < worse.share for worse, better in itertools.pairwise(ordered)):
            yield Fault(
                f"{path}.steps", "give less for a better value", "Write a share that rises as the value betters"
            )
    if card.method == quality_pb2.SCORECARD_METHOD_WEIGHTED_SUM:
        yield from _weights(card)
    if card.method == quality_pb2.SCORECARD_METHOD_ALL_THRESHOLDS:
        yield from _thresholds(card)
    yield from _curve(message)


def unassigned(card: quality_pb2.ScorecardPolicy) -> dict[str, float]:
    """Points of each group that no item holds; negative where items hold too much."""
    left = dict(card.groups)
    for _, item in items(card).values():
        if item.group in left:
            left[item.group] -= item.weight
    return {group: points for group, points in sorted(left.items()) if abs(points) > TOLERANCE}


def notes(message: profile_pb2.SiteProfile) -> Iterator[str]:
    """Weight that no item holds, and what becomes of it."""
    if message.scorecard.method != quality_pb2.SCORECARD_METHOD_WEIGHTED_SUM:
        return
    says = {
        quality_pb2.UNASSIGNED_POLICY_NORMALISE: "the items of the group grow to fill it",
        quality_pb2.UNASSIGNED_POLICY_CAP: "the best score stays below 100",
    }
    for group, points in unassigned(message.scorecard).items():
        yield f"Scorecard group {group}: {points:g} points have no item; {says[message.scorecard.unassigned_policy]}."


def _weights(card: quality_pb2.ScorecardPolicy) -> Iterator[Fault]:
    total = sum(card.groups.values())
    if abs(total - 100) > TOLERANCE:
        yield Fault("scorecard.groups", f"add up to {total:g}, not 100", "Correct the weights")
    for path, item in items(card).values():
        if item.group not in card.groups:
            known = ", ".join(sorted(card.groups)) or "none"
            yield Fault(f"{path}.group", f"names no group ({item.group!r})", f"Write one of scorecard.groups: {known}")
        if not item.HasField("weight"):
            yield Fault(f"{path}.weight", "is missing", "Write its share of the score, unit %")
    for group, points in unassigned(card).items():
        if points < 0:
            yield Fault(
                f"scorecard.groups.{group}", f"holds items that weigh {-points:g} more than it", "Correct the weights"
            )
        elif card.unassigned_policy in (
            quality_pb2.UNASSIGNED_POLICY_UNSPECIFIED,
            quality_pb2.UNASSIGNED_POLICY_SITE_ITEM,
        ):
            reason = f"does not settle the {points:g} points of {group} that no item holds"
            write = "Write NORMALISE or CAP, or SITE_ITEM with an item of that weight under scorecard.items"
            yield Fault("scorecard.unassigned_policy", reason, write)


def _thresholds(card: quality_pb2.ScorecardPolicy) -> Iterator[Fault]:
    path = "scorecard.grade_thresholds"
    if not card.HasField("grade_thresholds"):
        yield Fault(path, "is missing: ALL_THRESHOLDS grades by it", "Write the bars of excellent, good and qualified")
        return
    known = items(card)
    bars: list[Mapping[str, float]] = [getattr(card.grade_thresholds, grade) for grade in GRADES]
    for grade, bar in zip(GRADES, bars, strict=True):
        for name in sorted(set(bar) ^ set(known)):
            reason = "is no item of the scorecard" if name in bar else "is missing"
            yield Fault(f"{path}.{grade}.{name}", reason, "Every grade has one bar for every item")
    for higher, lower, (over, under) in zip(GRADES, GRADES[1:], itertools.pairwise(bars), strict=False):
        for name in sorted(set(over) & set(under) & set(known)):
            direction = known[name][1].direction or NAMED.get(name)
            easier = over[name] > under[name] if direction == quality_pb2.DIRECTION_LOWER else over[name] < under[name]
            if easier:
                yield Fault(
                    f"{path}.{higher}.{name}", f"asks less than {lower}", "Write the stricter bar for the better grade"
                )


def _curve(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    points = message.scorecard.rating_coefficient
    path = "scorecard.rating_coefficient"
    for index in range(1, len(points)):
        if points[index].rating <= points[index - 1].rating:
            yield Fault(f"{path}[{index}].rating", "does not ascend", "Write the points by rising rating")
        elif points[index].coefficient < points[index - 1].coefficient:
            yield Fault(f"{path}[{index}].coefficient", "falls while the rating rises", "Write a rising coefficient")
    scale = message.rating.scale_and_floor
    for index, point in enumerate(points):
        if message.rating.HasField("scale_and_floor") and not scale.min <= point.rating <= scale.max:
            yield Fault(
                f"{path}[{index}].rating", f"lies outside {scale.min} to {scale.max}", "Write a mean of the scale"
            )
