"""The end: summed up, asked for more, thanked; rated by the customer; open again when it was not the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from services.kit.errors import FailedPrecondition, InvalidArgument
from tests.clauses.acting import SITES, served, state
from tests.integration.intake.desk import START, Desk, Person

SUMMARY, MORE, FAREWELL = "SUMMARY", "ASKED_ANYTHING_ELSE", "FAREWELL"
LEFT_OUT: dict[str, dict[str, Any]] = {
    SUMMARY: {"summary": ""},
    MORE: {"asked_anything_else": False},
    FAREWELL: {"farewell": False},
}
DAY = 86_400


STEPS = {
    "online-desk": ((SUMMARY, MORE, FAREWELL), ["ONLINE-3.1.3-1"]),
    "live-room": ((MORE, FAREWELL), ["LIVE-3.2.4-1", "LIVE-3.2.4-2"]),
    "mall-centre": ((SUMMARY, MORE, FAREWELL), ["MALL-4.1.2-4", "MALL-4.1.3-1"]),
    "taobao-shop": ((SUMMARY, FAREWELL), ["TAOBAO-1-2.2.5-2", "TAOBAO-3-2.1.3", "TAOBAO-3-2.3.4"]),
}


@pytest.mark.parametrize(
    ("site", "steps"),
    [pytest.param(site, steps, marks=pytest.mark.clause(*names), id=site) for site, (steps, names) in STEPS.items()],
)
async def test_it_does_not_end_without_its_steps(desk: Desk, site: str, steps: tuple[str, ...]) -> None:
    """Summed up, asked for more, thanked and bidden farewell: what the site's regimes ask for, and no more."""
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann = await there.staff("ann", *skills)
    name = await served(there, ann, there.customer("c-1", channel), queue=queue)
    await ann.say(name, "done")
    for step in steps:
        with pytest.raises(FailedPrecondition) as refused:
            await ann.close(name, **LEFT_OUT[step])
        assert (refused.value.reason_name, refused.value.metadata["guard"]) == ("GUARD_NOT_MET", step)
        assert state(await ann.get(name)) == "SERVING"
    not_asked: dict[str, Any] = {}
    for step in set(LEFT_OUT) - set(steps):
        not_asked |= LEFT_OUT[step]
    closed = await ann.close(name, **{"summary": "new size sent", **not_asked})
    assert (state(closed), closed.need) == ("AWAITING_RATING", "a refund")
    assert closed.summary == ("new size sent" if SUMMARY in steps else "")


async def report(desk: Desk, boss: Person) -> site_api.ServiceLevelReport:
    """The first day's report."""
    request = site_api.GetServiceLevelReportRequest(parent=desk.parent)
    getattr(request, "from").FromDatetime(START - timedelta(days=1))
    request.to.FromDatetime(START + timedelta(days=2))
    return await boss.site.GetServiceLevelReport(request)


@pytest.mark.clause("ONLINE-3.1.3-3")
async def test_customers_rate_from_one_to_five_and_the_mean_is_known(desk: Desk) -> None:
    ann = await desk.staff("ann")
    for customer, score in (("c-1", 1), ("c-2", 5), ("c-3", 4)):
        rater = desk.customer(customer)
        name = await served(desk, ann, rater)
        await ann.say(name, "done")
        await ann.close(name)
        for wrong in (0, 6):
            with pytest.raises(InvalidArgument) as refused:
                await rater.rate(name, wrong)
            assert refused.value.fields[0].field == "score"
        assert (await rater.rate(name, score)).rating == score
        with pytest.raises(FailedPrecondition):
            await rater.rate(name, score)
    shown = await report(desk, desk.person("boss", "supervisor"))
    assert shown.total.ratings == 3
    assert shown.total.rating_mean == pytest.approx(10 / 3)
    assert [(line.key, line.ratings) for line in shown.by_person] == [("ann", 3)]


@pytest.mark.clause("LIVE-3.3.3")
async def test_ratings_and_remarks_are_collected_within_half_a_day(desk: Desk) -> None:
    room = desk.at("live-room")
    host = await room.staff("host", "ROOM")
    names = []
    for customer in ("soon", "late"):
        name = await served(room, host, room.customer(customer, "LIVE"))
        await host.close(name)
        names.append(name)
    await room.advance(12 * 3600 - 1)
    rated = await room.customer("soon", "LIVE").rate(names[0], 5, comment="主播很耐心")
    assert (rated.rating, state(rated)) == (5, "CLOSED")
    await room.advance(2)
    with pytest.raises(FailedPrecondition):
        await room.customer("late", "LIVE").rate(names[1], 5)


@pytest.mark.clause("TAOBAO-3-2.3.5", "ONLINE-3.1.3-2")
@pytest.mark.parametrize("site", ["taobao-shop", "online-desk"])
async def test_what_is_still_open_is_followed_up_until_somebody_did_it(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann = await there.staff("ann", *skills)
    name = await served(there, ann, there.customer("c-1", channel), queue=queue)
    follow_up = pb.FollowUp(note="has the parcel come?")
    follow_up.due_time.FromDatetime(there.now + timedelta(seconds=DAY))
    made = await ann.stub.CreateFollowUp(api.CreateFollowUpRequest(parent=name, follow_up=follow_up))
    assert made.person == "ann"
    await ann.close(name)

    async def states() -> list[str]:
        reply = await ann.stub.ListFollowUps(api.ListFollowUpsRequest(parent=f"{there.parent}/conversations/-"))
        return [pb.FollowUp.State.Name(one.state).removeprefix("STATE_") for one in reply.follow_ups]

    assert await states() == ["SCHEDULED"]
    await there.advance(DAY)
    assert await states() == ["DUE"]
    await ann.stub.CompleteFollowUp(api.CompleteFollowUpRequest(name=made.name, outcome="it has"))
    assert await states() == ["DONE"]


@pytest.mark.clause("LIVE-3.1.2-3")
async def test_who_is_not_content_comes_back_to_the_same_person(desk: Desk) -> None:
    room = desk.at("live-room")
    host = await room.staff("host", "ROOM")
    await room.staff("other", "ROOM")
    viewer = room.customer("v-1", "LIVE")
    opened = await viewer.open()
    await room.settle()
    first = room.person((await host.get(opened.name)).assignee)
    await first.serve(opened.name)
    await first.close(opened.name)
    await viewer.say(opened.name, "that did not help")
    assert state(await viewer.get(opened.name)) == "REOPENED"
    await room.settle()
    again = await host.get(opened.name)
    assert (state(again), again.assignee, again.accountable_owner) == ("ASSIGNED", first.person, first.person)
    await first.accept(opened.name)
    await first.say(opened.name, "this will")
    await first.close(opened.name)
    await room.advance(DAY + 60)
    with pytest.raises(FailedPrecondition):
        await viewer.say(opened.name, "thanks, a day later")
