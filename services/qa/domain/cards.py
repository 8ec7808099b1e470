"""A site's scorecard as its profile has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from services.policy.profile import Profile
from services.qa.domain.metrics import METRICS, Metric
from services.qa.domain.rules import scale
from services.qa.domain.scorecard import EXCELLENT, GOOD, LISTED, QUALIFIED, Card, Item, Step

_BARS: Final = {EXCELLENT: "excellent", GOOD: "good", QUALIFIED: "qualified"}
NAMED: Final = (
    "response_speed",
    "online_time",
    "volume",
    "csat",
    "resolution",
    "standards",
    "conversion",
    "knowledge",
)


def card(profile: Profile) -> Card | None:
    """None where the site scores nobody."""
    method = profile.setting("scorecard.method")
    if method is None:
        return None
    given: dict[str, Mapping[str, Any]] = {}
    for name in NAMED:
        item = cast("Mapping[str, Any] | None", profile.setting(f"scorecard.{name}"))
        if item is not None:
            given[name] = item
    given |= cast("Mapping[str, Mapping[str, Any]]", profile.setting("scorecard.items") or {})
    bars = cast("Mapping[str, Any]", profile.setting("scorecard.grade_thresholds") or {})
    points = cast("Sequence[Mapping[str, float]]", profile.setting("scorecard.rating_coefficient") or ())
    return Card(
        method=str(method),
        items=tuple(_item(name, one, profile, str(method)) for name, one in given.items()),
        groups=cast("Mapping[str, float]", profile.setting("scorecard.groups") or {}),
        unassigned=str(profile.setting("scorecard.unassigned_policy") or ""),
        bars={grade: bars.get(name, {}) for grade, name in _BARS.items()} if bars else {},
        failing_min=int(bars.get("failing_indicators_min", 1)),
        curve=tuple((point["rating"], point["coefficient"]) for point in points),
    )


def _full(metric: Metric, profile: Profile) -> float | None:
    """What a listed item without a target is worth in full: all of a share, the best of a scale; else nothing is."""
    if metric.unit == "%":
        return 100.0
    if metric.unit != "points":
        return None
    if metric.source == "qa":
        return float(scale(profile).best)
    return None if profile.rating is None else float(profile.rating.max)


def _item(name: str, given: Mapping[str, Any], profile: Profile, method: str) -> Item:
    metric = METRICS.get(name)
    lower = given.get("direction") == "LOWER" if given.get("direction") else bool(metric and metric.lower)
    target = given.get("target")
    if target is None and method == LISTED and metric is not None and not lower:
        target = _full(metric, profile)
    return Item(
        metric=name,
        group=given.get("group", ""),
        weight=given.get("weight"),
        target=target,
        lower=lower,
        steps=tuple(Step(step["value"], step["share"]) for step in given.get("steps", ())),
    )
