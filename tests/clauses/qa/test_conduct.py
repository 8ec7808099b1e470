"""What only a reviewer can judge: each rule of conduct is a criterion of the site's rubric and moves the score."""

from __future__ import annotations

from typing import Any

import pytest
from kefu.qa.v1 import review_pb2 as pb
from kefu.qa.v1 import review_service_pb2 as api

from services.kit.errors import InvalidArgument
from tests.integration.qa.conftest import Qa
from tests.integration.qa.reviewing import SERIES, Room

SERVICES = ("qa",)
BEST, WORST = 10, 1


def rule(site: str, criterion: str, *clauses: str) -> Any:
    return pytest.param(site, criterion, clauses, marks=pytest.mark.clause(*clauses), id=f"{site}-{criterion}")


async def opened(qa: Qa, site: str) -> tuple[Room, pb.Rubric]:
    """The site's own rubric, as its regimes ask for it, in use."""
    room = Room(qa, site)
    listed = (await room.reviews().ListRubrics(api.ListRubricsRequest(parent=room.parent))).rubrics
    in_use = [one for one in listed if (one.series, one.state) == (SERIES, pb.Rubric.STATE_PUBLISHED)]
    if in_use:
        return room, in_use[0]
    proposed = await room.reviews().ProposeRubric(api.ProposeRubricRequest(parent=room.parent))
    await room.member("rob", reviewer=True)
    return room, await room.rubric(*proposed.criteria)


@pytest.mark.parametrize(
    ("site", "criterion", "clauses"),
    [
        rule("live-room", "customer_first", "LIVE-1.3.1"),
        rule("live-room", "greeting", "LIVE-3.1.1-1"),
        rule("live-room", "warmth", "LIVE-3.1.1-3"),
        rule("live-room", "patience", "LIVE-3.1.2-1"),
        rule("live-room", "composure", "LIVE-3.2.3-4"),
        rule("live-room", "plain_language", "LIVE-3.2.2-4"),
        rule("online-desk", "empathy", "ONLINE-2.1.2-1"),
        rule("online-desk", "sandwich", "ONLINE-3.1.2-2"),
        rule("taobao-shop", "politeness", "TAOBAO-1-2.1.1-2", "TAOBAO-1-2.2.1-2"),
        rule("taobao-shop", "price_explanation", "TAOBAO-1-2.1.4-1"),
        rule("taobao-shop", "seriousness", "TAOBAO-1-2.3.1-1", "TAOBAO-3-2.4.1-1"),
        rule("taobao-shop", "composure", "TAOBAO-2-3.3.1", "TAOBAO-3-2.4.3-1"),
        rule("taobao-shop", "listening", "TAOBAO-2-3.3.2"),
        rule("taobao-shop", "explanation", "TAOBAO-2-3.3.3"),
        rule("taobao-shop", "warmth", "TAOBAO-3-1.3"),
        rule("taobao-shop", "patience", "TAOBAO-3-1.3"),
        rule("taobao-shop", "expertise", "TAOBAO-3-1.3"),
        rule("taobao-shop", "efficiency", "TAOBAO-3-1.3"),
        rule("taobao-shop", "attitude", "TAOBAO-3-2.1.4"),
        rule("taobao-shop", "accuracy", "TAOBAO-3-2.2.2"),
        rule("taobao-shop", "plain_language", "TAOBAO-3-2.2.4"),
        rule("taobao-shop", "sincerity", "TAOBAO-4-1.3", "TAOBAO-4-3.1.1"),
        rule("taobao-shop", "care", "TAOBAO-4-1.3"),
        rule("taobao-shop", "respect", "TAOBAO-4-3.1.4"),
        rule("taobao-shop", "cooperation", "TAOBAO-5-1.3"),
        rule("taobao-shop", "sharing", "TAOBAO-5-1.3"),
        rule("mall-centre", "customer_first", "MALL-1.3.1"),
        rule("mall-centre", "proactive", "MALL-3.1.1-1"),
        rule("mall-centre", "patience", "MALL-3.1.2"),
        rule("mall-centre", "respect", "MALL-3.1.3-2"),
        rule("mall-centre", "clarity", "MALL-3.2.1"),
        rule("mall-centre", "pace", "MALL-3.2.1"),
        rule("mall-centre", "tone", "MALL-3.2.3"),
        rule("mall-centre", "greeting", "MALL-4.1.1-2"),
        rule("mall-centre", "thanks", "MALL-4.1.3-1"),
    ],
)
async def test_a_lapse_costs_what_the_criterion_weighs(
    qa: Qa, site: str, criterion: str, clauses: tuple[str, ...]
) -> None:
    room, rubric = await opened(qa, site)
    judged = next(one for one in rubric.criteria if one.id == criterion)
    assert set(clauses) <= set(judged.clauses)
    flawless: dict[str, int | None] = {one.id: BEST for one in rubric.criteria}
    assert (await room.reviewed("ann", **flawless)).score == BEST
    lapse = await room.reviewed("ann", **(flawless | {criterion: WORST}))
    assert lapse.score == pytest.approx(BEST - judged.weight / 100 * (BEST - WORST))
    read = await room.reviews("ann", "agent").GetReview(api.GetReviewRequest(name=lapse.name))
    assert {one.criterion: one.mark for one in read.answers}[criterion] == WORST


@pytest.mark.parametrize(
    ("site", "criterion", "clauses"),
    [rule("mall-centre", "coldness", "MALL-3.1.1-2"), rule("mall-centre", "quarrel", "MALL-4.2.1-1")],
)
async def test_a_veto_spoils_the_whole(qa: Qa, site: str, criterion: str, clauses: tuple[str, ...]) -> None:
    room, rubric = await opened(qa, site)
    flawless: dict[str, int | None] = {one.id: BEST for one in rubric.criteria}
    spoilt = await room.reviewed("ann", **(flawless | {criterion: WORST}))
    assert (spoilt.score, list(spoilt.failed)) == (WORST, [criterion])


@pytest.mark.clause("ONLINE-4.2.2-2")
async def test_dialogue_is_marked_in_whole_numbers_from_1_to_10_by_somebody_else(qa: Qa) -> None:
    room, rubric = await opened(qa, "online-desk")
    own = await room.assign(await room.recording("rob"))  # rob is the only reviewer
    assert not own.reviews
    review = (await room.assign(await room.recording("ann"))).reviews[0]
    marks: dict[str, int | None] = {one.id: 7 for one in rubric.criteria}
    for wrong in (0, 11):
        with pytest.raises(InvalidArgument) as refused:
            await room.submit(review, **(marks | {"sandwich": wrong}))
        assert "from 1 to 10" in refused.value.fields[0].description
    assert (await room.submit(review, **marks)).score == 7
