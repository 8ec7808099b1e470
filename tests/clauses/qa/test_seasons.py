"""Appraisals by the rules of each regime: what they are made of, when they open, and what they lead to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import appraisal_service_pb2 as api

from services.kit.errors import FailedPrecondition, InvalidArgument, KefuError, NotFound, PermissionDenied
from tests.integration.qa.reviewing import Room, criterion
from tests.integration.qa.season import Matter, Season
from tests.integration.qa.test_app import START, Whole, whole
from tests.integration.qa.working import Works

__all__ = ["whole"]

SERVICES = ("qa",)
OCTOBER = datetime(2026, 10, 20, 1, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 15, 1, tzinfo=UTC)
DAY: dict[str, Any] = {"conversations": 30, "first_response_s": 30, "ratings": [5] * 6, "online_h": 6}
ATTITUDE = {"responsibility": 9, "initiative": 9, "team_spirit": 9}
ABILITY = {"product_knowledge": 9, "communication": 9, "problem_solving": 9}
SHOP = {"initiative": 9, "responsibility": 9, "teamwork": 9}
State = api.Appraisal
ACTION, REWARD = Matter.KIND_ACTION, Matter.KIND_REWARD
Site = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="session")
async def site(whole: Whole) -> AsyncIterator[Site]:
    """Makes a site's season after ann's day of work."""
    async with whole.database.transaction() as tx:
        await tx.execute(
            "TRUNCATE observations, daily_facts, stale_days, stated_values, scorecards, presences, appraisals, matters,"
            " peer_ratings, bonus_lines CASCADE"
        )
    seasons: list[Season] = []

    async def make(name: str, at: datetime = OCTOBER, **day: Any) -> Season:
        works = Works(whole, name)
        await works.day("ann", at, **(DAY | day))
        await whole.advance(max(START, whole.database.clock.now()))
        seasons.append(Season(whole, works))
        return seasons[-1]

    yield make
    for season in seasons:
        await season.close()


async def checked(season: Season, person: str, at: datetime, *, mark: int) -> None:
    """A spot check: a drawn recording of that time, reviewed."""
    room = Room(season, season.works.site)
    await room.member("rob", reviewer=True)
    await room.rubric(criterion(id="dialogue", weight=100.0))
    assigned = await room.assign(await room.recording(person, at=at))
    await room.submit(assigned.reviews[0], dialogue=mark)


async def refused(attempt: Any) -> str:
    """The guard or setting by which something is refused."""
    with pytest.raises(KefuError) as error:
        await attempt
    return error.value.metadata.get("guard", error.value.reason_name)


@pytest.mark.clause("LIVE-2.3.2-1", "LIVE-2.3.1-4", "LIVE-2.3.1-5")
async def test_data_customers_and_superior_together_each_month_and_none_may_be_missing(site: Site) -> None:
    season = await site("live-room")
    ann = (await season.open("2026-10"))["ann"]
    assert await refused(season.finalise(ann)) == "PART_MISSING:SUPERVISOR"
    with pytest.raises(InvalidArgument):
        await season.rate(ann, **ATTITUDE)  # ability belongs to it
    request = api.RateAppraisalRequest(name=ann.name, marks=ATTITUDE | ABILITY, comment="I am good")
    with pytest.raises(PermissionDenied):
        await season.appraisals("ann", "manager").RateAppraisal(request)
    await season.rate(ann, **ATTITUDE, **ABILITY)
    done = await season.finalise(ann)
    assert set(done.parts) == {"DATA", "CUSTOMER", "SUPERVISOR"}
    weights = {"DATA": 50, "CUSTOMER": 20, "SUPERVISOR": 30}
    assert done.score == pytest.approx(sum(weight * done.parts[part] for part, weight in weights.items()))
    assert done.parts["SUPERVISOR"] == pytest.approx((9 - 1) / 9)
    assert await refused(season.open("2026-Q3")) == "OTHER_PERIOD"


@pytest.mark.clause("ONLINE-4.2.3", "ONLINE-4.2.3-1", "ONLINE-4.2.3-2")
async def test_a_quarter_is_closed_with_its_review_meeting_and_a_plan_for_each_miss(site: Site) -> None:
    season = await site("online-desk", SEPTEMBER, first_response_s=60)
    assert await refused(season.open("2026-10")) == "OTHER_PERIOD"
    ann = (await season.open("2026-Q3"))["ann"]
    assert await refused(season.finalise(ann)) == "PART_MISSING:REVIEWS"  # spot checks are part of it
    await checked(season, "ann", SEPTEMBER, mark=7)
    done = await season.finalise(ann)
    assert done.parts["REVIEWS"] == pytest.approx((7 - 1) / 9)
    assert done.score == pytest.approx(70 * done.parts["DATA"] + 30 * done.parts["REVIEWS"])
    shown = await season.publish(ann)
    assert list(shown.misses) == ["response_speed"]
    await season.acknowledge(ann)
    assert await refused(season.finish(ann, minutes="review meeting 3")) == "PLAN_MISSING:response_speed"
    assert await refused(season.finish(ann, "response_speed")) == "MINUTES_MISSING"
    closed = await season.finish(ann, "response_speed", minutes="review meeting 3")
    assert closed.state == State.STATE_CLOSED


@pytest.mark.clause("TAOBAO-1-5.1.4", "TAOBAO-1-5.2.2", "TAOBAO-1-5.2.3", "TAOBAO-3-3.1.6", "TAOBAO-3-3.2.2",
                    "TAOBAO-3-3.2.3", "TAOBAO-3-3.2.4")  # fmt: skip
async def test_the_shop_appraises_monthly_with_ratings_and_the_supervisors_view(site: Site) -> None:
    season = await site("taobao-shop")
    await season.works.state("2026-10", 1, ann__complaint_rate=0.1)
    ann = (await season.open("2026-10"))["ann"]
    assert not await season.open("2026-10")  # one a month
    # without the supervisor's marks the indicator of attitude has no value either, and so there is no grade
    assert await refused(season.finalise(ann)) == "PART_MISSING:DATA,SUPERVISOR"
    with pytest.raises(InvalidArgument):
        await season.rate(ann, initiative=9, responsibility=9)
    await season.rate(ann, **SHOP)
    done = await season.finalise(ann)
    assert done.parts["CUSTOMER"] == 1
    assert done.parts["SUPERVISOR"] == pytest.approx(8 / 9)
    assert done.grade == "EXCELLENT"  # the supervisor's marks are the indicator of attitude, too


@pytest.mark.clause("MALL-6.1.3-2")
async def test_colleagues_rate_without_names_and_never_themselves(site: Site, whole: Whole) -> None:
    season = await site("mall-centre")
    ann = (await season.open("2026-10"))["ann"]
    with pytest.raises(PermissionDenied):
        await season.appraisals("ann", "agent").RatePeer(api.RatePeerRequest(name=ann.name, mark=10))
    for colleague, mark in (("bob", 4), ("cat", 7), ("bob", 8)):
        await season.appraisals(colleague, "agent").RatePeer(api.RatePeerRequest(name=ann.name, mark=mark))
    await season.rate(ann, **SHOP)
    assert await refused(season.finalise(ann)) == "PART_MISSING:PEERS"  # two could be made out
    await season.appraisals("dan", "agent").RatePeer(api.RatePeerRequest(name=ann.name, mark=9))
    done = await season.finalise(ann)
    assert done.parts["PEERS"] == pytest.approx(((8 + 7 + 9) / 3 - 1) / 9)
    logged = await whole.database.fetch("SELECT actor FROM kefu_audit WHERE action = 'appraisal.collect'")
    assert not {"bob", "cat", "dan"} & {row["actor"] for row in logged}


async def published(season: Season, *, marks: int, **rates: float) -> api.Appraisal:
    """Ann's published appraisal in the shop."""
    await season.works.state("2026-10", 1, ann__complaint_rate=0.1, **rates)
    ann = (await season.open("2026-10"))["ann"]
    await season.rate(ann, initiative=marks, responsibility=marks, teamwork=marks)
    await season.finalise(ann)
    return await season.publish(ann)


@pytest.mark.clause("TAOBAO-3-3.4.1")
async def test_the_top_grade_is_proposed_for_a_bonus(site: Site) -> None:
    season = await site("taobao-shop")
    ann = await published(season, marks=9)
    assert ann.grade == "EXCELLENT"
    (reward,) = await season.listed(REWARD, "ann")
    assert (reward.code, reward.state, list(reward.evidence)) == ("BONUS", "PROPOSED", [ann.name])


@pytest.mark.clause("TAOBAO-3-3.4.2-1", "LIVE-2.3.3-3")
async def test_a_failing_grade_opens_coaching_and_is_not_closed_without_an_outcome(site: Site) -> None:
    season = await site("taobao-shop")
    ann = await published(season, marks=2)
    assert ann.grade == "UNQUALIFIED"
    (coaching,) = await season.listed(ACTION, "ann")
    assert coaching.code == "COACHING"
    await season.acknowledge(ann)
    assert await refused(season.finish(ann, *ann.misses)) == "OUTCOME_MISSING"
    closed = await season.finish(ann, *ann.misses, outcome="TRAINING")
    assert closed.state == State.STATE_CLOSED
    assert "TRAINING" in {one.code for one in await season.listed(ACTION, "ann")}


@pytest.mark.clause("LIVE-2.3.3-4")
async def test_each_weakness_has_a_plan_with_owner_and_date_before_it_is_closed(site: Site) -> None:
    season = await site("live-room", reopened=10)
    ann = (await season.open("2026-10"))["ann"]
    await season.rate(ann, **dict.fromkeys(ATTITUDE, 3), **ABILITY)
    await season.finalise(ann)
    shown = await season.publish(ann)
    assert {"resolution_share", "attitude"} <= set(shown.misses)
    await season.acknowledge(ann)
    assert (await refused(season.finish(ann, "attitude"))).startswith("PLAN_MISSING:")
    await season.finish(ann, *shown.misses)
    plans = {one.code: one for one in await season.listed(ACTION, "ann")}
    assert plans["PLAN_ATTITUDE"].person == "ann"
    assert plans["PLAN_ATTITUDE"].HasField("due_time")


async def test_only_who_is_appraised_reads_it_once_published_and_may_appeal_to_another(site: Site) -> None:
    season = await site("taobao-shop")
    await season.works.state("2026-10", 1, ann__complaint_rate=0.1)
    ann = (await season.open("2026-10"))["ann"]
    with pytest.raises(NotFound):
        await season.appraisals("ann", "agent").GetAppraisal(api.GetAppraisalRequest(name=ann.name))
    await season.rate(ann, **SHOP)
    await season.finalise(ann)
    await season.publish(ann)
    assert (await season.appraisals("ann", "agent").GetAppraisal(api.GetAppraisalRequest(name=ann.name))).comment
    with pytest.raises(NotFound):
        await season.appraisals("bob", "agent").GetAppraisal(api.GetAppraisalRequest(name=ann.name))
    appeal = api.AppealAppraisalRequest(name=ann.name, reason="I was ill")
    with pytest.raises(PermissionDenied):
        await season.appraisals("bob", "agent").AppealAppraisal(appeal)
    await season.appraisals("ann", "agent").AppealAppraisal(appeal)
    decide = api.DecideAppealRequest(name=ann.name, granted=True, decision="right")
    with pytest.raises(PermissionDenied):
        await season.appraisals("sup", "supervisor").DecideAppeal(decide)
    again = await season.appraisals("boss", "manager").DecideAppeal(decide)
    assert again.state == State.STATE_COLLECTING


@pytest.mark.clause("LIVE-2.3.3-2")
async def test_promotion_is_offered_to_the_top_grade_alone(site: Site) -> None:
    season = await site("live-room")
    ann = (await season.open("2026-10"))["ann"]
    await season.rate(ann, **dict.fromkeys(ATTITUDE, 3), **ABILITY)
    await season.finalise(ann)
    assert (await season.publish(ann)).grade == "QUALIFIED"
    assert await refused(season.matter(REWARD, "PROMOTION", evidence=[ann.name])) == "TOP_GRADE_NEEDED"
    await season.appraisals("ann", "agent").AppealAppraisal(api.AppealAppraisalRequest(name=ann.name, reason="no"))
    await season.appraisals().DecideAppeal(api.DecideAppealRequest(name=ann.name, granted=True, decision="right"))
    await season.rate(ann, **dict.fromkeys(ATTITUDE, 10), **dict.fromkeys(ABILITY, 10))
    await season.finalise(ann)
    assert (await season.publish(ann)).grade == "EXCELLENT"
    offered = await season.matter(REWARD, "PROMOTION", evidence=[ann.name])
    assert (await season.step(offered, "approve")).state == "APPROVED"


@pytest.mark.clause("LIVE-2.3.3-1", "TAOBAO-1-5.3.1", "MALL-6.3.1")
async def test_no_bonus_without_a_published_appraisal(site: Site) -> None:
    season = await site("taobao-shop")
    await season.works.state("2026-10", 1, ann__complaint_rate=0.1)
    ann = (await season.open("2026-10"))["ann"]
    ask = {"evidence": [ann.name], "amount_fen": 50_000}
    assert await refused(season.matter(REWARD, "BONUS", **ask)) == "APPRAISAL_NOT_PUBLISHED"
    await season.rate(ann, **SHOP)
    await season.finalise(ann)
    await season.publish(ann)
    reward = await season.matter(REWARD, "BONUS", **ask)
    with pytest.raises(FailedPrecondition):
        await season.step(reward, "approve", by="sup", role="manager")  # who asked for it
    for step, state in (("approve", "APPROVED"), ("grant", "GRANTED"), ("pay", "PAID")):
        assert (await season.step(reward, step)).state == state
    mall = await site("mall-centre")
    assert await refused(mall.matter(REWARD, "CERTIFICATE", evidence=[ann.name])) == "APPRAISAL_NOT_PUBLISHED"
