"""Promises to customers: kept, broken at the deadline, warned of; also when nobody looks until much later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.access import Kind
from services.kit.errors import FailedPrecondition, InvalidArgument
from services.kit.testing.nats import empty
from services.kit.testing.postgres import Databases
from tests.integration.intake.desk import START, Client, Desk, Person, running

Kinds = pb.Clock


async def clock(client: Client, name: str, kind: pb.Clock.Kind.ValueType) -> pb.Clock:
    """The latest promise of a kind."""
    found = [one for one in (await client.get(name)).clocks if one.kind == kind]
    return max(found, key=lambda one: one.number)


def time(stamp: object) -> datetime:
    return stamp.ToDatetime(UTC)  # type: ignore[attr-defined, no-any-return]


async def outcomes(desk: Desk, name: str) -> list[tuple[str, str, datetime, datetime | None]]:
    rows = await desk.app.database.fetch(
        "SELECT kind, outcome, settled_at, stopped_at FROM clock_outcomes WHERE conversation = $1 ORDER BY settled_at",
        name.rpartition("/")[2],
    )
    return [tuple(row) for row in rows]


async def serving(desk: Desk, person: Person, customer: str = "c-1") -> str:
    opened = await desk.customer(customer).open()
    await desk.settle()
    await person.serve(opened.name)
    return opened.name


@pytest.mark.clause("ONLINE-3.1.1-1")
async def test_a_first_answer_in_time_keeps_the_promise(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    await desk.advance(30)
    await ann.say(name)
    kept = await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)
    assert (kept.state, kept.target_seconds) == (pb.Clock.STATE_MET, 30)
    assert list(kept.warned) == [0.5, 0.8]
    assert await outcomes(desk, name) == [("FIRST_RESPONSE", "MET", desk.now, desk.now)]


@pytest.mark.clause("ONLINE-3.1.1-1")
async def test_a_breach_is_stamped_at_the_deadline_and_told_then(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    opened = await desk.customer().open()
    due = desk.now + timedelta(seconds=30)
    await desk.advance(30)
    assert (await clock(boss, opened.name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_RUNNING
    await desk.advance(0.001)
    broken = await clock(boss, opened.name, Kinds.KIND_FIRST_RESPONSE)
    assert (broken.state, list(broken.warned)) == (pb.Clock.STATE_BREACHED, [0.5, 0.8, 1.0])
    assert await outcomes(desk, opened.name) == [("FIRST_RESPONSE", "BREACHED", due, None)]
    [entry] = [one for one in await desk.history(opened.name) if one.what == "FIRST_RESPONSE BREACHED"]
    assert (time(entry.time), entry.actor) == (due, "timer")


async def test_a_late_answer_that_comes_before_the_timer_breaks_it_at_the_deadline(
    databases: Databases, nats_url: str, tmp_path: Path
) -> None:
    """The worker is away: whoever comes first, the breach is where the deadline was."""
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, tmp_path) as desk:
        ann = await desk.staff("ann")
        name = await serving(desk, ann)
        due = (await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)).due_time.ToDatetime(UTC)
        virtual = desk.app.database.virtual
        assert virtual is not None
        for task in desk.app._tasks:
            if task.get_name() == "worker":
                task.cancel()
        late = due + timedelta(seconds=45)
        await desk.app.database.execute("UPDATE kefu_virtual_clock SET at = $1", late)
        virtual.move(late)
        await ann.say(name, "sorry, late")
        stopped = await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)
        assert (stopped.state, time(stopped.stop_time)) == (pb.Clock.STATE_STOPPED_LATE, late)
        assert await outcomes(desk, name) == [("FIRST_RESPONSE", "BREACHED", due, late)]
        told = [(entry.what, time(entry.time)) for entry in await desk.history(name)]
        assert ("FIRST_RESPONSE BREACHED", due) in told
        assert ("FIRST_RESPONSE STOPPED_LATE", late) in told
        assert told.index(("FIRST_RESPONSE BREACHED", due)) < told.index(("message AGENT", late))


async def test_an_answer_at_the_deadline_keeps_it_whatever_the_timer_does(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    due = (await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)).due_time.ToDatetime(UTC)
    await desk.advance((due - desk.now).total_seconds())
    await ann.say(name)
    await desk.advance(60)
    assert (await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_MET
    assert [outcome for _, outcome, _, _ in await outcomes(desk, name)] == ["MET"]


@pytest.mark.clause("TAOBAO-1-2.1.1-1", "TAOBAO-1-2.2.1-1", "TAOBAO-4-3.1.3")
@pytest.mark.parametrize(("queue", "seconds"), [("PRESALES", 300), ("AFTERSALES", 300), ("MEMBERS", 60)])
async def test_a_shop_has_its_own_figures(desk: Desk, queue: str, seconds: int) -> None:
    shop = desk.at("taobao-shop")
    opened = await shop.customer("t-1", "TAOBAO").open(queue=queue)
    promised = await clock(shop.customer("t-1", "TAOBAO"), opened.name, Kinds.KIND_FIRST_RESPONSE)
    assert promised.target_seconds == seconds
    await shop.advance(seconds)
    assert (await clock(shop.person("a"), opened.name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_RUNNING
    await shop.advance(1)
    assert (await clock(shop.person("a"), opened.name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_BREACHED


@pytest.mark.clause("LIVE-3.2.1-1", "LIVE-3.1.1-2")
async def test_a_live_room_greets_who_enters(desk: Desk) -> None:
    room = desk.at("live-room")
    viewer, host = room.customer("v-1", "LIVE"), room.person("host", "host")
    entered = await viewer.open("")
    assert (await clock(host, entered.name, Kinds.KIND_GREETING)).target_seconds == 10
    await room.advance(5)
    await host.say(entered.name, "welcome", kind=pb.Message.KIND_GREETING)
    assert (await clock(host, entered.name, Kinds.KIND_GREETING)).state == pb.Clock.STATE_MET
    await viewer.say(entered.name, "which size?")
    assert (await clock(host, entered.name, Kinds.KIND_FIRST_RESPONSE)).target_seconds == 20
    late = await room.customer("v-2", "LIVE").open("")
    await room.advance(11)
    assert (await clock(host, late.name, Kinds.KIND_GREETING)).state == pb.Clock.STATE_BREACHED


async def test_each_later_question_has_its_own_promise(desk: Desk) -> None:
    ann, customer = await desk.staff("ann"), desk.customer()
    name = await serving(desk, ann)
    await ann.say(name)
    await customer.say(name, "and this?")
    await customer.say(name, "hello?")
    gap = await clock(ann, name, Kinds.KIND_REPLY_GAP)
    assert (gap.number, gap.state, gap.target_seconds) == (1, pb.Clock.STATE_RUNNING, 120)
    await desk.advance(121)
    await ann.say(name)
    assert (await clock(ann, name, Kinds.KIND_REPLY_GAP)).state == pb.Clock.STATE_STOPPED_LATE
    await customer.say(name, "thanks, and that?")
    assert (await clock(ann, name, Kinds.KIND_REPLY_GAP)).number == 2
    await ann.say(name)
    assert sorted(outcome for kind, outcome, _, _ in await outcomes(desk, name) if kind == "REPLY_GAP") == [
        "BREACHED",
        "MET",
    ]


async def test_greetings_and_notes_answer_nothing(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    await ann.say(name, "Person ann, welcome", kind=pb.Message.KIND_GREETING)
    await ann.say(name, "difficult one", kind=pb.Message.KIND_NOTE)
    assert (await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_RUNNING


@pytest.mark.clause("ONLINE-3.1.2-3")
async def test_a_hand_over_that_nobody_takes_breaks_its_promise(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    await ann.say(name)
    await ann.transfer(name, queue="SPECIALIST")
    await desk.advance(121)
    assert (await clock(ann, name, Kinds.KIND_HANDOFF)).state == pb.Clock.STATE_BREACHED


async def test_who_leaves_in_time_is_no_breach(desk: Desk) -> None:
    customer = desk.customer()
    opened = await customer.open()
    await desk.advance(10)
    await customer.leave(opened.name)
    await desk.advance(60)
    assert [outcome for _, outcome, _, _ in await outcomes(desk, opened.name)] == ["CANCELLED"]


@pytest_asyncio.fixture(loop_scope="session")
async def bot_desk(databases: Databases, nats_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """The shop, with a bot that gets ten seconds."""
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, tmp_path, bot_patience_seconds=10.0) as desk:
        yield desk.at("taobao-shop")


async def test_a_bots_answer_does_not_stop_the_human_clock(bot_desk: Desk) -> None:
    customer = bot_desk.customer("t-1", "TAOBAO")
    bot = bot_desk.person("bot", "bot", kind=Kind.SERVICE)
    opened = await customer.open("when do you ship?")
    assert opened.state == pb.Conversation.STATE_BOT
    await bot.say(opened.name, "today", kind=pb.Message.KIND_BOT_ANSWER)
    await bot_desk.advance(60)
    asked = await bot.get(opened.name)
    assert asked.state == pb.Conversation.STATE_BOT
    assert (await clock(bot, opened.name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_RUNNING
    escalated = await customer.stub.EscalateToHuman(api.EscalateToHumanRequest(name=opened.name))
    assert escalated.state == pb.Conversation.STATE_QUEUED
    with pytest.raises(InvalidArgument):
        await bot.say(opened.name, "I am a person", kind=pb.Message.KIND_TEXT)
    await bot_desk.advance(241)
    assert (await clock(bot, opened.name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_BREACHED


async def test_a_silent_bot_traps_nobody(bot_desk: Desk) -> None:
    customer = bot_desk.customer("t-1", "TAOBAO")
    opened = await customer.open("hello?")
    await bot_desk.advance(9)
    assert (await customer.get(opened.name)).state == pb.Conversation.STATE_BOT
    await bot_desk.advance(2)
    assert (await customer.get(opened.name)).state == pb.Conversation.STATE_QUEUED


async def test_a_customer_whom_the_bot_served_leaves_content(bot_desk: Desk) -> None:
    customer = bot_desk.customer("t-1", "TAOBAO")
    opened = await customer.open("when do you ship?")
    bot = bot_desk.person("bot", "bot", kind=Kind.SERVICE)
    await bot.say(opened.name, "today", kind=pb.Message.KIND_BOT_ANSWER)
    assert (await customer.leave(opened.name)).state == pb.Conversation.STATE_CLOSED


async def call(desk: Desk, customer: str = "m-1") -> tuple[Person, str]:
    telephone = desk.person("pbx", "telephony", kind=Kind.SERVICE)
    opened = await telephone.stub.CreateConversation(
        api.CreateConversationRequest(
            parent=desk.parent, conversation=pb.Conversation(channel=pb.CHANNEL_PHONE, customer=customer)
        )
    )
    assert opened.call.state == pb.Call.STATE_RINGING
    return telephone, opened.name


async def ring(telephone: Person, name: str, number: int) -> pb.Conversation:
    return await telephone.stub.ReportRing(api.ReportRingRequest(name=name, ring=number))


async def hang_up(telephone: Person, name: str, *, customer: bool) -> pb.Conversation:
    side = api.HANG_UP_SIDE_CUSTOMER if customer else api.HANG_UP_SIDE_AGENT
    return await telephone.stub.HangUp(api.HangUpRequest(name=name, side=side))


@pytest.mark.clause("MALL-4.1.1-1")
async def test_a_call_answered_at_the_third_ring_keeps_the_promise(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "PHONE")
    telephone, name = await call(mall)
    await mall.settle()
    for number in (1, 2, 3):
        rung = await ring(telephone, name, number)
        assert (await ring(telephone, name, number)).version == rung.version
        await mall.advance(4)
    assert rung.call.rings == 3
    taken = await ann.accept(name)
    assert taken.call.state == pb.Call.STATE_TALKING
    assert (await clock(ann, name, Kinds.KIND_RINGS)).state == pb.Clock.STATE_MET
    assert (await clock(ann, name, Kinds.KIND_FIRST_RESPONSE)).state == pb.Clock.STATE_MET


@pytest.mark.clause("MALL-4.1.1-1")
async def test_the_fourth_ring_breaks_it(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    telephone, name = await call(mall)
    for number in (1, 2, 3, 4):
        await ring(telephone, name, number)
    assert (await clock(telephone, name, Kinds.KIND_RINGS)).state == pb.Clock.STATE_BREACHED


async def test_rings_that_nobody_reports_break_it_by_their_interval(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    telephone, name = await call(mall)
    await ring(telephone, name, 1)
    await mall.advance(16)
    assert (await clock(telephone, name, Kinds.KIND_RINGS)).state == pb.Clock.STATE_BREACHED


@pytest.mark.clause("MALL-4.1.3-2")
@pytest.mark.parametrize("customer", [True, False])
async def test_it_is_known_who_hung_up(desk: Desk, customer: bool) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "PHONE")
    telephone, name = await call(mall)
    await mall.settle()
    await ann.accept(name)
    over = await hang_up(telephone, name, customer=customer)
    side = pb.Call.STATE_CUSTOMER_HUNG_UP if customer else pb.Call.STATE_AGENT_HUNG_UP
    assert (over.state, over.call.state) == (pb.Conversation.STATE_WRAP_UP, side)
    with pytest.raises(FailedPrecondition):
        await hang_up(telephone, name, customer=customer)
    assert (await ann.close(name, need="a shop", source="HOTLINE")).state == pb.Conversation.STATE_AWAITING_RATING


async def test_who_gives_up_before_an_answer_has_abandoned(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    telephone, name = await call(mall)
    await ring(telephone, name, 1)
    over = await hang_up(telephone, name, customer=True)
    assert (over.state, over.call.state) == (pb.Conversation.STATE_ABANDONED, pb.Call.STATE_ABANDONED)
    with pytest.raises(FailedPrecondition):
        await ring(telephone, name, 2)


async def test_a_question_that_nobody_answered_is_promised_anew_after_harassment(desk: Desk) -> None:
    ann, boss, customer = await desk.staff("ann"), desk.person("boss", "supervisor"), desk.customer()
    name = (await customer.open()).name
    await desk.settle()
    await ann.serve(name)
    report = api.ReportHarassmentRequest(name=name, reason="insults")
    release = api.ReleaseHoldRequest(name=name, resume=True)
    await ann.stub.ReportHarassment(report)
    await boss.stub.ReleaseHold(release)
    told = [entry.what for entry in await desk.history(name)]
    assert told[-1] == "FIRST_RESPONSE STARTED"
    await ann.say(name)
    await ann.stub.ReportHarassment(report)
    await boss.stub.ReleaseHold(release)
    told = [entry.what for entry in await desk.history(name)]
    assert told[-1] == "releaseHold"
