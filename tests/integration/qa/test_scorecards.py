"""Scorecards from events: every number with its evidence, nothing counted twice, what is frozen stays."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio
from kefu.qa.v1 import scorecard_service_pb2 as api

from services.kit.errors import FailedPrecondition, InvalidArgument
from tests.integration.qa.test_app import Whole, whole
from tests.integration.qa.working import Works, lines

__all__ = ["whole"]

DAY = datetime(2026, 11, 3, 1, tzinfo=UTC)  # nine in the morning at the site
_days = itertools.count(1)
IMPORTED, MANUAL = api.StateMetricsRequest.SOURCE_IMPORTED, api.StateMetricsRequest.SOURCE_MANUAL


@pytest_asyncio.fixture(loop_scope="session")
async def desk(whole: Whole) -> AsyncIterator[Works]:
    """The online desk, with nothing measured."""
    async with whole.database.transaction() as tx:
        await tx.execute("TRUNCATE observations, daily_facts, stale_days, stated_values, scorecards, presences")
    yield Works(whole, "online-desk")


async def settle(whole: Whole) -> None:
    await whole.advance(DAY + timedelta(days=1, minutes=next(_days)))


async def test_every_number_can_be_followed_to_its_events_and_reproduced(whole: Whole, desk: Works) -> None:
    await desk.day("ann", DAY, conversations=20, first_response_s=24, ratings=[5] * 6, online_h=3, reopened=5)
    await settle(whole)
    card = (await desk.computed("2026-11"))["ann"]
    measured = lines(card)
    expected = {"response_speed": 24, "online_time": 3, "volume": 20, "csat": 5, "resolution": 75, "standards": 0}
    assert {name: measured[name].value for name in expected} == pytest.approx(expected)
    assert all(measured[name].source == "COMPUTED" for name in expected)
    listed = await desk.scorecards.GetMetricRegistry(api.GetMetricRegistryRequest(name=f"{desk.parent}/metricRegistry"))
    for metric in listed.metrics:
        if metric.id in expected:
            again = await whole.database.fetchval(
                metric.query, "online-desk", "ann", date(2026, 11, 1), date(2026, 12, 1)
            )
            assert again == pytest.approx(expected[metric.id]), metric.id
    request = api.ListObservationsRequest(parent=f"{desk.parent}/people/ann", metric="csat", period="2026-11")
    seen = (await desk.scorecards.ListObservations(request)).observations
    assert [one.value for one in seen] == [5] * 6
    assert all(one.object.startswith(f"{desk.parent}/conversations/ann-") and one.event for one in seen)


async def test_a_second_count_takes_what_came_and_counts_nothing_twice(whole: Whole, desk: Works) -> None:
    await desk.day("ann", DAY, conversations=3, online_h=1)
    await settle(whole)
    first = (await desk.computed("2026-11"))["ann"]
    assert lines((await desk.computed("2026-11"))["ann"]) == lines(first)
    await desk.day("ann", DAY + timedelta(hours=2), conversations=2)
    await settle(whole)
    assert lines((await desk.computed("2026-11"))["ann"])["volume"].value == 5


async def test_few_ratings_are_no_mean_and_what_is_missing_is_named(whole: Whole, desk: Works) -> None:
    await desk.day("ann", DAY, conversations=10, ratings=[5] * 4, online_h=1)
    await settle(whole)
    card = (await desk.computed("2026-11"))["ann"]
    assert set(card.unmeasured) == {"csat", "conversion", "knowledge"}
    assert not card.HasField("coefficient")


async def test_stated_values_are_labelled_and_never_in_place_of_computed_ones(whole: Whole, desk: Works) -> None:
    await desk.day("ann", DAY, conversations=30, online_h=6, ratings=[4, 5] * 3)
    await settle(whole)
    await desk.state("2026-11", IMPORTED, ann__conversion=5, ann__knowledge=5, ann__csat=1)
    card = (await desk.computed("2026-11"))["ann"]
    assert (lines(card)["csat"].value, lines(card)["csat"].source) == (4.5, "COMPUTED")
    assert lines(card)["conversion"].source == "IMPORTED"
    assert (list(card.unmeasured), sorted(card.imported)) == ([], ["conversion", "knowledge"])
    with pytest.raises(FailedPrecondition) as refused:
        await desk.state("2026-11", MANUAL, ann__knowledge=5)
    assert refused.value.metadata == {"setting": "metrics.allow_manual"}
    with pytest.raises(InvalidArgument):
        await desk.state("2026-11", IMPORTED, ann__unheard_of=5)


async def test_a_period_is_frozen_once_over_and_never_changes_again(whole: Whole, desk: Works) -> None:
    october = datetime(2026, 10, 20, 1, tzinfo=UTC)
    await desk.day("ann", october, conversations=3, online_h=1)
    await settle(whole)
    freeze = desk.scorecards.FreezeScorecards
    with pytest.raises(FailedPrecondition) as lasts:
        await freeze(api.FreezeScorecardsRequest(parent=desk.parent, period="2026-11"))
    assert lasts.value.metadata["guard"] == "PERIOD_LASTS"
    done = await freeze(api.FreezeScorecardsRequest(parent=desk.parent, period="2026-10"))
    assert done.scorecards == 1
    await desk.day("ann", october + timedelta(hours=5), conversations=9)
    await settle(whole)
    card = (await desk.computed("2026-10"))["ann"]
    assert (card.state, lines(card)["volume"].value) == (api.Scorecard.STATE_FROZEN, 3)


async def test_time_online_is_split_at_the_sites_midnight(whole: Whole, desk: Works) -> None:
    evening = datetime(2026, 11, 3, 14, tzinfo=UTC)  # ten at night
    await desk.day("ann", evening, conversations=1, online_h=4)
    await whole.advance(DAY + timedelta(days=2))
    days = await whole.database.fetch("SELECT day, value FROM observations WHERE fact = 'online' ORDER BY day")
    assert [(row["day"].day, row["value"]) for row in days] == [(3, 7200), (4, 7200)]
    assert lines((await desk.computed("2026-11"))["ann"])["online_time"].value == 2


async def test_a_quarter_is_the_sum_of_its_months(whole: Whole, desk: Works) -> None:
    await desk.day("ann", datetime(2026, 10, 20, 1, tzinfo=UTC), conversations=2, online_h=1)
    await desk.day("ann", DAY, conversations=4, online_h=1)
    await whole.advance(DAY + timedelta(days=2, hours=1))
    assert lines((await desk.computed("2026-Q4"))["ann"])["volume"].value == 3
