"""Scorecards by the methods of the profiles: the weighted groups of ONLINE, all items of TAOBAO-3, plain lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.qa.domain.scorecard import (
    ALL_THRESHOLDS,
    EXCELLENT,
    GOOD,
    IMPORTED,
    LISTED,
    NORMALISE,
    QUALIFIED,
    UNQUALIFIED,
    WEIGHTED_SUM,
    Card,
    Figure,
    Item,
    Step,
    coefficient,
    compute,
    share,
    weights,
)

ITEMS = (
    Item("response_speed", "BASIC", 15, 30, lower=True),
    Item("online_time", "BASIC", 15, 6),
    Item("volume", "BASIC", 10, 30),
    Item("csat", "QUALITY", 20, 4.5),
    Item("resolution", "QUALITY", 10, 90),
    Item("standards", "QUALITY", 10, 0, lower=True),
    Item("conversion", "EXTRA", 10, 5),
    Item("knowledge", "EXTRA", 5, 5),
)
GROUPS = {"BASIC": 40.0, "QUALITY": 40.0, "EXTRA": 20.0}
CURVE = ((1.0, 0.0), (3.0, 0.6), (4.2, 0.9), (4.5, 1.0), (5.0, 1.2))
FULL = {
    "response_speed": 30.0, "online_time": 6.0, "volume": 30.0, "csat": 4.5, "resolution": 90.0, "standards": 0.0,
    "conversion": 5.0, "knowledge": 5.0,
}  # fmt: skip


def online(unassigned: str = NORMALISE) -> Card:
    return Card(WEIGHTED_SUM, ITEMS, GROUPS, unassigned, curve=CURVE)


def figures(**other: float) -> dict[str, Figure]:
    return {metric: Figure(value) for metric, value in (FULL | other).items()}


def test_the_missing_five_points_go_by_the_stated_policy() -> None:
    grown, capped = weights(online()), weights(online("CAP"))
    assert grown["conversion"] == pytest.approx(13.3333333)
    assert grown["knowledge"] == pytest.approx(6.6666667)
    assert compute(online(), figures()).score == pytest.approx(100)
    assert capped["conversion"] == 10
    assert compute(online("CAP"), figures()).score == pytest.approx(95)


def test_an_item_counts_by_how_far_it_is_on_its_way() -> None:
    result = compute(online(), figures(response_speed=60, volume=15, standards=1))
    assert result.score == pytest.approx(100 - 15 / 2 - 10 / 2 - 10)
    assert [one.item.metric for one in result.lines if one.missed] == ["response_speed", "volume", "standards"]


def test_what_no_event_measured_is_named_and_never_counts_as_reached() -> None:
    known = figures()
    known["conversion"] = Figure(5.0, IMPORTED)
    del known["knowledge"]
    result = compute(online(), known)
    assert (result.unmeasured, result.imported, result.complete) == (("knowledge",), ("conversion",), False)
    assert compute(online(), {}).score is None


def test_steps_are_worth_what_the_best_one_says() -> None:
    item = Item("response_speed", lower=True, steps=(Step(20, 1.0), Step(30, 0.8), Step(60, 0.3)))
    assert [share(item, value) for value in (10, 20, 21, 30, 59, 61)] == [1.0, 1.0, 0.8, 0.8, 0.3, 0.0]


def test_the_coefficient_of_a_rating_is_linear_between_the_points() -> None:
    assert coefficient(CURVE, 4.35) == pytest.approx(0.95)
    assert [coefficient(CURVE, rating) for rating in (0.5, 1, 4.5, 5, 5.5)] == [0, 0, 1.0, 1.2, 1.2]
    assert coefficient((), 4.5) is None
    assert compute(online(), figures(), rating=4.5).coefficient == 1.0


@given(st.lists(st.floats(1, 5), min_size=2, max_size=2))
def test_a_better_rating_never_has_a_lower_coefficient(ratings: list[float]) -> None:
    low, high = (coefficient(CURVE, one) for one in sorted(ratings))
    assert low is not None
    assert high is not None
    assert low <= high


BARS = {
    EXCELLENT: {"reply_rate": 99.0, "complaint_rate": 0.2},
    GOOD: {"reply_rate": 97.0, "complaint_rate": 0.5},
    QUALIFIED: {"reply_rate": 92.0, "complaint_rate": 1.0},
}
TAOBAO = Card(ALL_THRESHOLDS, (Item("reply_rate"), Item("complaint_rate", lower=True)), bars=BARS)


@pytest.mark.parametrize(
    ("reply_rate", "complaint_rate", "grade"),
    [
        (99, 0.2, EXCELLENT),
        (100, 0.21, GOOD),
        (97, 0.5, GOOD),
        (96.9, 0.1, QUALIFIED),
        (92, 1.0, QUALIFIED),
        (100, 1.01, UNQUALIFIED),
        (91.9, 0.0, UNQUALIFIED),
        (None, 1.01, UNQUALIFIED),
        (None, 0.1, ""),
    ],
)
def test_a_grade_needs_every_item_and_one_failing_item_fails_all(
    reply_rate: float | None, complaint_rate: float, grade: str
) -> None:
    known = {"complaint_rate": Figure(complaint_rate)}
    if reply_rate is not None:
        known["reply_rate"] = Figure(reply_rate)
    assert compute(TAOBAO, known).grade == grade


def test_listed_items_weigh_alike_unless_the_site_says_so() -> None:
    alike = Card(LISTED, (Item("a", target=10), Item("b", target=10), Item("c")))
    assert list(weights(alike).values()) == pytest.approx([100 / 3] * 3)
    assert compute(alike, {"a": Figure(10), "b": Figure(5), "c": Figure(1)}).score == pytest.approx(75)
    told = Card(LISTED, (Item("a", weight=70, target=10), Item("b", weight=30, target=10)))
    assert compute(told, {"a": Figure(10), "b": Figure(0)}).score == pytest.approx(70)


@given(st.dictionaries(st.sampled_from(sorted(FULL)), st.floats(0, 1000)))
def test_a_score_lies_between_0_and_100(known: dict[str, float]) -> None:
    result = compute(online(), {metric: Figure(value) for metric, value in known.items()})
    assert result.score is None or 0 <= result.score <= 100 + 1e-9
