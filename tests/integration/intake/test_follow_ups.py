"""Follow-ups: planned, due, done, missed, in the agent's list and in the site's stream."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.access import Kind
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from tests.integration.intake.desk import Client, Desk, Person
from tests.integration.intake.test_watch import watch_site

State = pb.FollowUp.State
DAY = 24 * 3600


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


async def plan(client: Client, conversation: str, in_s: float, **given: Any) -> pb.FollowUp:
    follow_up = pb.FollowUp(
        due_time=stamp(client.desk.now + timedelta(seconds=in_s)), note="问问是否收到", person=given.get("person", "")
    )
    if "missed_in_s" in given:
        follow_up.miss_time.CopyFrom(stamp(client.desk.now + timedelta(seconds=given["missed_in_s"])))
    request = api.CreateFollowUpRequest(
        parent=conversation, follow_up=follow_up, request_id=given.get("request_id", "")
    )
    return await client.stub.CreateFollowUp(request)


async def listed(client: Client, conversation: str = "", *states: State.ValueType, size: int = 0) -> list[pb.FollowUp]:
    parent = conversation or f"{client.desk.parent}/conversations/-"
    request = api.ListFollowUpsRequest(parent=parent, states=states, page_size=size)
    found: list[pb.FollowUp] = []
    while True:
        reply = await client.stub.ListFollowUps(request)
        found += reply.follow_ups
        if not reply.next_page_token:
            return found
        request.page_token = reply.next_page_token


async def complete(client: Client, name: str, **given: Any) -> pb.FollowUp:
    return await client.stub.CompleteFollowUp(
        api.CompleteFollowUpRequest(name=name, outcome="已收到，满意", request_id=given.get("request_id", ""))
    )


async def served(desk: Desk) -> tuple[Person, str]:
    ann = await desk.staff("ann")
    opened = await desk.customer("c-1").open()
    await desk.settle()
    await ann.serve(opened.name)
    await ann.say(opened.name, "hello")
    return ann, opened.name


@pytest.mark.clause("ONLINE-3.1.3-2")
async def test_it_falls_due_for_the_owner_and_is_done(desk: Desk) -> None:
    ann, conversation = await served(desk)
    planned = await plan(ann, conversation, DAY)
    assert (planned.state, planned.person) == (State.STATE_SCHEDULED, "ann")
    assert planned.miss_time.seconds - planned.due_time.seconds == 3600
    await desk.advance(DAY - 1)
    assert await listed(ann, "", State.STATE_DUE) == []
    await desk.advance(1)
    assert [one.name for one in await listed(ann, "", State.STATE_DUE)] == [planned.name]
    done = await complete(ann, planned.name)
    assert (done.state, done.outcome, done.note) == (State.STATE_DONE, "已收到，满意", "问问是否收到")
    await desk.advance(DAY)
    assert [one.state for one in await listed(ann, conversation)] == [State.STATE_DONE]


@pytest.mark.clause("ONLINE-3.1.3-2")
async def test_one_that_nobody_did_is_missed_at_its_end_and_the_site_is_told(desk: Desk) -> None:
    ann, conversation = await served(desk)
    start = str(await desk.feed.ready())
    planned = await plan(ann, conversation, 600, missed_in_s=900)
    await desk.advance(1000)
    (missed,) = await listed(ann, conversation)
    assert missed.state == State.STATE_MISSED
    stream = watch_site(desk, start)
    seen = await stream.until(lambda response: response.details.get("state") == "MISSED")
    stream.close()
    told = [(r.details["state"], r.time.seconds) for r in seen if r.kind == "follow_up_changed"]
    assert [state for state, _ in told] == ["SCHEDULED", "DUE", "MISSED"]
    assert [at for _, at in told[1:]] == [planned.due_time.seconds, planned.miss_time.seconds]
    with pytest.raises(FailedPrecondition) as over:
        await complete(ann, planned.name)
    assert over.value.metadata["state"] == "MISSED"


async def test_cancelled_means_never_due_and_repeats_do_nothing_twice(desk: Desk) -> None:
    ann, conversation = await served(desk)
    planned = await plan(ann, conversation, 600, request_id="r-1")
    assert await plan(ann, conversation, 600, request_id="r-1") == planned
    request = api.CancelFollowUpRequest(name=planned.name, request_id="r-2")
    cancelled = await ann.stub.CancelFollowUp(request)
    assert await ann.stub.CancelFollowUp(request) == cancelled
    await desk.advance(DAY)
    assert [one.state for one in await listed(ann)] == [State.STATE_CANCELLED]
    assert await desk.app.database.fetchval("SELECT count(*) FROM kefu_timers WHERE owner_kind = 'follow_up'") == 0


async def test_the_site_lists_them_by_due_time_page_by_page(desk: Desk) -> None:
    ann, conversation = await served(desk)
    names = {in_s: (await plan(ann, conversation, in_s)).name for in_s in (500, 100, 300, 200, 400)}
    assert [one.name for one in await listed(ann, size=2)] == [names[in_s] for in_s in sorted(names)]


async def test_customers_see_theirs_without_what_colleagues_wrote(desk: Desk) -> None:
    ann, conversation = await served(desk)
    await plan(ann, conversation, 600)
    customer = desk.customer("c-1")
    (theirs,) = await listed(customer, conversation)
    assert (theirs.note, theirs.outcome) == ("", "")
    for refused in (listed(customer), listed(desk.customer("c-2"), conversation), plan(customer, conversation, 60)):
        with pytest.raises(PermissionDenied):
            await refused


async def test_bad_plans_are_refused_and_leave_nothing(desk: Desk) -> None:
    ann, conversation = await served(desk)
    unserved = await desk.customer("c-2").open(queue="SPECIALIST")
    service = desk.person("shop", "frontend", kind=Kind.SERVICE)
    cases: list[tuple[Any, str]] = [
        (plan(ann, conversation, -60), "follow_up.due_time"),
        (plan(ann, conversation, 600, missed_in_s=600), "follow_up.miss_time"),
        (plan(ann, conversation, 600, person="nobody"), "follow_up.person"),
        (plan(service, unserved.name, 600), "follow_up.person"),
        (ann.stub.CreateFollowUp(api.CreateFollowUpRequest(parent=conversation)), "follow_up"),
    ]
    for refused, field in cases:
        with pytest.raises(InvalidArgument) as wrong:
            await refused
        assert [violation.field for violation in wrong.value.fields] == [field]
    with pytest.raises(NotFound):
        await complete(ann, f"{conversation}/followUps/nothing")
    assert await listed(ann) == []
    assert await desk.app.database.fetchval("SELECT count(*) FROM kefu_timers WHERE owner_kind = 'follow_up'") == 0


async def test_one_that_a_command_holds_falls_due_a_moment_later(desk: Desk) -> None:
    ann, name = await served(desk)
    await plan(ann, name, 60)
    async with desk.app.database.transaction(sites=[desk.site]) as command:
        await command.fetch("SELECT id FROM follow_ups WHERE site = $1 FOR UPDATE", desk.site)
        async with asyncio.timeout(5):
            await desk.advance(61)
    await desk.advance(1)
    assert [one.state for one in await listed(ann, name)] == [pb.FollowUp.STATE_DUE]
