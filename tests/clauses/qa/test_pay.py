"""Pay: six to four, a pool that moves with the goal, three times for the best; and whose marks may feed it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import bonus_service_pb2 as api
from kefu.qa.v1 import calibration_service_pb2 as calibration_api

from services.kit.errors import AlreadyExists, FailedPrecondition, InvalidArgument, KefuError, PermissionDenied
from tests.integration.qa.reviewing import Room, criterion
from tests.integration.qa.season import Matter, Season
from tests.integration.qa.test_app import START, Whole, whole
from tests.integration.qa.working import Works

__all__ = ["whole"]

SERVICES = ("qa",)
SEPTEMBER = datetime(2026, 9, 15, 1, tzinfo=UTC)
ALIKE = {"rob": (9, 7, 4, 8, 2), "sue": (9, 7, 5, 8, 2)}
APART = {"rob": (9, 2, 4, 8, 2), "sue": (3, 7, 9, 2, 8)}
PEOPLE = {"ann": 30, "bob": 20, "eve": 10}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(whole: Whole) -> AsyncIterator[Season]:
    """The online desk after a quarter: three people appraised, published."""
    works = Works(whole, "online-desk")
    season = Season(whole, works)
    for person, conversations in PEOPLE.items():
        await works.day(person, SEPTEMBER, conversations=conversations, online_h=6, ratings=[4, 5] * 3)
    await whole.advance(START)
    room = Room(season, "online-desk")
    for reviewer in ("rob", "sue"):
        await room.member(reviewer, reviewer=True)
    await room.rubric(criterion(id="dialogue", weight=100.0))
    for person in PEOPLE:
        drawn = await room.assign(await room.recording(person, at=SEPTEMBER))
        await room.submit(drawn.reviews[0], dialogue=8)
    for one in (await season.open("2026-Q3")).values():
        await season.finalise(one)
        await season.publish(one)
    yield season
    await season.close()


async def recordings(season: Season) -> list[str]:
    room = Room(season, "online-desk")
    return [await room.recording("ann", at=SEPTEMBER) for _ in range(5)]


def pool(period: str, **more: Any) -> api.CreateBonusPoolRequest:
    given = {"base_fen": 1_000_001, "attainment": 1.0} | more
    return api.CreateBonusPoolRequest(parent="sites/online-desk", period=period, **given)


async def agreeing(season: Season) -> None:
    assert (await season.calibrated(await recordings(season), ALIKE)).feeds_pay


async def test_marks_on_which_reviewers_do_not_agree_feed_no_pay(desk: Season) -> None:
    apart = await desk.calibrated(await recordings(desk), APART)
    assert apart.alpha < 0.667
    assert apart.low <= apart.alpha <= apart.high
    assert not apart.feeds_pay
    with pytest.raises(FailedPrecondition) as refused:
        await desk.bonuses().CreateBonusPool(pool("2026-01"))
    assert refused.value.metadata["guard"] == "REVIEWERS_DO_NOT_AGREE"
    await agreeing(desk)
    assert (await desk.bonuses().CreateBonusPool(pool("2026-01"))).lines


async def test_reviewers_mark_blind_and_their_severity_is_told(desk: Season) -> None:
    some = await recordings(desk)
    create = calibration_api.CreateCalibrationRequest(
        parent=desk.parent, series="conversations", recordings=some, reviewers=["rob", "sue"]
    )
    opened = await desk.calibrations().CreateCalibration(create)
    mark = calibration_api.MarkCalibrationRequest(name=opened.name, recording=some[0], mark=9)
    await desk.calibrations("rob", "reviewer").MarkCalibration(mark)
    get = calibration_api.GetCalibrationRequest(name=opened.name)
    assert [one.reviewer for one in (await desk.calibrations("rob", "reviewer").GetCalibration(get)).marks] == ["rob"]
    assert not (await desk.calibrations("sue", "reviewer").GetCalibration(get)).marks
    with pytest.raises(PermissionDenied):
        await desk.calibrations("zoe", "reviewer").MarkCalibration(mark)
    with pytest.raises(FailedPrecondition) as missing:
        await desk.calibrations().CloseCalibration(calibration_api.CloseCalibrationRequest(name=opened.name))
    assert missing.value.metadata["reviewers"] == "rob, sue"
    strict = await desk.calibrated(some, {"rob": (8, 7, 9, 6, 8), "sue": (6, 5, 7, 4, 6)})
    assert strict.severities == pytest.approx({"rob": 2, "sue": -2})
    create.reviewers.append("ann")
    with pytest.raises(InvalidArgument):
        await desk.calibrations().CreateCalibration(create)


@pytest.mark.clause("ONLINE-5.3.1-1")
async def test_pay_is_base_to_bonus_six_to_four_and_the_bonus_follows_the_appraisal(desk: Season) -> None:
    await agreeing(desk)
    pay = dict.fromkeys(PEOPLE, 1_000_000)
    made = await desk.bonuses().CreateBonusPool(pool("2026-02", pay_fen=pay))
    for line in made.lines:
        assert line.base_fen == 600_000
        assert line.performance_fen == pytest.approx(400_000 * line.share, abs=1)
    by_person = {line.person: line for line in made.lines}
    assert by_person["ann"].performance_fen > by_person["bob"].performance_fen > by_person["eve"].performance_fen


@pytest.mark.clause("ONLINE-5.3.1-2")
async def test_the_monthly_pool_moves_with_the_goal_and_is_shared_out_exactly(desk: Season) -> None:
    await agreeing(desk)
    made = await desk.bonuses().CreateBonusPool(pool("2026-03", attainment=0.8))
    assert made.pool_fen == 800_000
    assert sum(line.amount_fen for line in made.lines) == 800_000
    assert all("/appraisals/" in line.appraisal for line in made.lines)
    with pytest.raises(AlreadyExists):
        await desk.bonuses().CreateBonusPool(pool("2026-03"))
    approve = api.ApproveBonusPoolRequest(name=made.name)
    with pytest.raises(PermissionDenied):
        await desk.bonuses().ApproveBonusPool(approve)
    assert (await desk.bonuses("chief").ApproveBonusPool(approve)).state == api.BonusPool.STATE_APPROVED
    paid = await desk.bonuses().DistributeBonusPool(api.DistributeBonusPoolRequest(name=made.name))
    assert paid.state == api.BonusPool.STATE_DISTRIBUTED


@pytest.mark.clause("ONLINE-5.3.1-3")
async def test_the_best_of_a_year_get_three_times_the_bonus(desk: Season) -> None:
    await agreeing(desk)
    amounts = []
    for month in ("2025-04", "2025-05"):
        made = await desk.bonuses().CreateBonusPool(pool(month))
        await desk.bonuses("chief").ApproveBonusPool(api.ApproveBonusPoolRequest(name=made.name))
        amounts.append({line.person: line.amount_fen for line in made.lines}["ann"])
    award = await desk.bonuses().GetAnnualAward(
        api.GetAnnualAwardRequest(parent=f"{desk.parent}/people/ann", year=2025)
    )
    assert award.amount_fen == 3 * round(sum(amounts) / len(amounts))
    best = await desk.matter(
        Matter.KIND_REWARD, "ANNUAL_BEST", amount_fen=award.amount_fen, evidence=[f"{desk.parent}/bonusPools/2025-05"]
    )
    assert (await desk.step(best, "approve")).state == "APPROVED"


async def test_a_site_that_says_nothing_of_pay_pays_nothing(whole: Whole) -> None:
    mall = Season(whole, Works(whole, "mall-centre"))
    request = api.CreateBonusPoolRequest(parent=mall.parent, period="2026-10", base_fen=1, attainment=1)
    with pytest.raises(KefuError) as refused:
        await mall.bonuses().CreateBonusPool(request)
    assert refused.value.metadata == {"setting": "pay.base_performance_ratio"}
    await mall.close()
