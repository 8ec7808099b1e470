"""The indicators of each regime, from what intake and staffing tell, and what the profile's method makes of them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import scorecard_service_pb2 as api

from services.kit.errors import FailedPrecondition
from tests.integration.qa.test_app import Whole, whole
from tests.integration.qa.working import Works, lines

__all__ = ["whole"]

SERVICES = ("qa",)
DAY = datetime(2026, 11, 3, 1, tzinfo=UTC)
MONTH = "2026-11"
_minutes = itertools.count(1)
IMPORTED, MANUAL = api.StateMetricsRequest.SOURCE_IMPORTED, api.StateMetricsRequest.SOURCE_MANUAL
FULL: dict[str, Any] = {"conversations": 30, "first_response_s": 30, "ratings": [4, 5] * 3, "online_h": 6}


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nothing_measured(whole: Whole) -> AsyncIterator[None]:
    async with whole.database.transaction() as tx:
        await tx.execute("TRUNCATE observations, daily_facts, stale_days, stated_values, scorecards, presences")
    yield


async def worked(whole: Whole, site: str, **day: Any) -> Works:
    """A day of ann's at a site."""
    works = Works(whole, site)
    await works.day("ann", DAY, **day)
    await whole.advance(DAY + timedelta(days=1, minutes=next(_minutes)))
    return works


async def card_of(works: Works) -> api.Scorecard:
    return (await works.computed(MONTH))["ann"]


@pytest.mark.clause("ONLINE-4.2.1-1", "TAOBAO-1-4.1.1", "TAOBAO-1-5.2.1")
async def test_figures_come_from_events_and_nobody_types_them_in(whole: Whole) -> None:
    online = await worked(whole, "online-desk", **FULL)
    card = await card_of(online)
    measured = {name: lines(card)[name] for name in ("response_speed", "volume", "online_time", "csat", "resolution")}
    assert {one.source for one in measured.values()} == {"COMPUTED"}
    with pytest.raises(FailedPrecondition):
        await online.state(MONTH, MANUAL, ann__response_speed=1)
    await online.state(MONTH, IMPORTED, ann__response_speed=1)
    assert lines(await card_of(online))["response_speed"].value == 30


@pytest.mark.parametrize(
    ("metric", "group", "weight", "target", "lapse", "share"),
    [
        pytest.param(*row, marks=pytest.mark.clause(clause), id=clause)
        for clause, row in {
            "ONLINE-4.1.1-1": ("response_speed", "BASIC", 15, 30, {"first_response_s": 60}, 0.5),
            "ONLINE-4.1.1-2": ("online_time", "BASIC", 15, 6, {"online_h": 3}, 0.5),
            "ONLINE-4.1.1-3": ("volume", "BASIC", 10, 30, {"conversations": 15}, 0.5),
            "ONLINE-4.1.2-1": ("csat", "QUALITY", 20, 4.5, {"ratings": [3] * 6}, 3 / 4.5),
            "ONLINE-4.1.2-2": ("resolution", "QUALITY", 10, 90, {"reopened": 12}, 60 / 90),
        }.items()
    ],
)
async def test_an_indicator_has_its_weight_at_its_target_and_loses_with_the_distance(
    whole: Whole, metric: str, group: str, weight: float, target: float, lapse: dict[str, Any], share: float
) -> None:
    full = lines(await card_of(await worked(whole, "online-desk", **FULL)))[metric]
    assert (full.group, full.weight, full.target, full.points) == (group, weight, target, weight)
    async with whole.database.transaction() as tx:
        await tx.execute("TRUNCATE observations, daily_facts, stale_days, scorecards, presences")
    short = lines(await card_of(await worked(whole, "online-desk", **(FULL | lapse))))[metric]
    assert short.source == "COMPUTED"
    assert short.share == pytest.approx(share)
    assert short.points == pytest.approx(weight * share)


@pytest.mark.clause("ONLINE-4.1.1", "ONLINE-4.1.2", "ONLINE-4.1.3")
async def test_groups_weigh_40_40_and_20_and_the_five_points_without_an_item_go_by_the_profile(whole: Whole) -> None:
    online = await worked(whole, "online-desk", **FULL)
    await online.state(MONTH, IMPORTED, ann__conversion=5, ann__knowledge=5)
    card = await card_of(online)
    groups: dict[str, float] = {}
    for line in card.lines:
        groups[line.group] = groups.get(line.group, 0) + line.weight
    assert groups == pytest.approx({"BASIC": 40, "QUALITY": 40, "EXTRA": 20})
    assert (lines(card)["conversion"].weight, lines(card)["knowledge"].weight) == pytest.approx((40 / 3, 20 / 3))
    assert card.score == pytest.approx(100)
    assert sorted(card.imported) == ["conversion", "knowledge"]  # labelled: their services do not tell yet


@pytest.mark.clause("ONLINE-4.2.1-2")
async def test_ratings_become_a_coefficient_by_themselves(whole: Whole) -> None:
    online = await worked(whole, "online-desk", **(FULL | {"ratings": [4, 5] * 3}))
    assert (await card_of(online)).coefficient == pytest.approx(1.0)
    await online.day("ann", DAY + timedelta(hours=8), conversations=6, ratings=[3] * 6)
    await whole.advance(DAY + timedelta(days=1, minutes=next(_minutes)))
    mean = (4.5 * 6 + 3 * 6) / 12
    assert (await card_of(online)).coefficient == pytest.approx(0.6 + 0.3 * (mean - 3) / 1.2)


@pytest.mark.parametrize(
    ("site", "metric", "value"),
    [
        pytest.param(site, metric, value, marks=pytest.mark.clause(*clauses), id=f"{site}-{metric}")
        for clauses, site, metric, value in (
            (("LIVE-2.3.1-1",), "live-room", "volume_total", 20),
            (("LIVE-2.3.1-2",), "live-room", "resolution_share", 75),
            (("LIVE-2.3.1-3",), "live-room", "satisfaction", 4),
            (("TAOBAO-1-5.1.1-2",), "taobao-shop", "first_response_mean", 24),
            (("TAOBAO-3-3.1.1",), "taobao-shop", "reply_rate", 80),
            (("TAOBAO-1-5.1.1-1", "TAOBAO-3-3.1.2"), "taobao-shop", "reply_time", 10),
            (("TAOBAO-1-5.1.2-2",), "taobao-shop", "resolution_time", 300),
            (("MALL-6.1.2-1",), "mall-centre", "first_response_mean", 24),
            (("MALL-6.1.2-2",), "mall-centre", "resolution_share", 75),
            (("TAOBAO-1-5.1.2-1", "TAOBAO-3-3.1.4"), "taobao-shop", "first_contact_resolution", 75),
            (("TAOBAO-1-5.1.3-1", "TAOBAO-3-3.1.3"), "taobao-shop", "satisfaction", 4),
        )
    ],
)
async def test_an_indicator_on_the_list_is_measured(whole: Whole, site: str, metric: str, value: float) -> None:
    day = {"conversations": 20, "first_response_s": 24, "ratings": [4] * 6, "reopened": 5, "unanswered": 5}
    line = lines(await card_of(await worked(whole, site, **day)))[metric]
    assert line.source == "COMPUTED"
    assert line.value == pytest.approx(value)
    assert line.count > 0


@pytest.mark.clause("TAOBAO-3-3.2.1")
async def test_back_office_and_hand_counts_stand_beside_computed_figures_under_their_labels(whole: Whole) -> None:
    shop = await worked(whole, "taobao-shop", conversations=20, ratings=[4] * 6)
    await shop.state(MONTH, IMPORTED, ann__complaint_rate=0.4, ann__satisfaction=5)
    await shop.state(MONTH, MANUAL, ann__attitude=8, ann__complaint_rate=0.9)
    measured = lines(await card_of(shop))
    assert (measured["complaint_rate"].value, measured["complaint_rate"].source) == (0.4, "IMPORTED")
    assert (measured["attitude"].value, measured["attitude"].source) == (8, "MANUAL")
    assert (measured["satisfaction"].value, measured["satisfaction"].source) == (4, "COMPUTED")


GOOD_DAY: dict[str, Any] = {"conversations": 100, "first_response_s": 50, "ratings": [5] * 6}


async def graded(whole: Whole, *, attitude: float = 9, complaint_rate: float = 0.2, **day: Any) -> str:
    shop = await worked(whole, "taobao-shop", **(GOOD_DAY | day))
    await shop.state(MONTH, IMPORTED, ann__complaint_rate=complaint_rate)
    await shop.state(MONTH, MANUAL, ann__attitude=attitude)
    return (await card_of(shop)).grade


@pytest.mark.parametrize(
    ("grade", "day"),
    [
        pytest.param(grade, day, marks=pytest.mark.clause(clause), id=f"{grade}-{number}")
        for number, (clause, grade, day) in enumerate(
            (
                ("TAOBAO-3-3.3.1", "EXCELLENT", {}),
                ("TAOBAO-3-3.3.1", "GOOD", {"attitude": 8}),
                ("TAOBAO-3-3.3.2", "GOOD", {"attitude": 7, "first_response_s": 120, "reopened": 20}),
                ("TAOBAO-3-3.3.2", "QUALIFIED", {"complaint_rate": 0.6}),
                ("TAOBAO-3-3.3.3", "QUALIFIED", {"attitude": 5, "first_response_s": 300, "reopened": 30}),
                ("TAOBAO-3-3.3.4", "UNQUALIFIED", {"attitude": 4}),
                ("TAOBAO-3-3.3.4", "UNQUALIFIED", {"reopened": 31}),
            )
        )
    ],
)
async def test_a_grade_needs_every_indicator_and_one_that_fails_fails_all(
    whole: Whole, grade: str, day: dict[str, Any]
) -> None:
    assert await graded(whole, **day) == grade
