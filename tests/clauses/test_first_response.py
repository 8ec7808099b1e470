"""The first answer: each site and queue has its own promise, kept up to the last moment and broken right after it."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from kefu.intake.v1 import conversation_pb2 as pb

from services.kit.access import Kind
from tests.clauses.acting import clock_state, promise, state, told
from tests.integration.intake.desk import Desk

PROMISES = [
    ("online-desk", "WEB", "GENERAL", ("GENERAL",), 30, ["ONLINE-3.1.1-1"]),
    ("taobao-shop", "TAOBAO", "PRESALES", ("PRESALES",), 300, ["TAOBAO-1-2.1.1-1"]),
    ("taobao-shop", "TAOBAO", "AFTERSALES", ("AFTERSALES",), 300, ["TAOBAO-1-2.2.1-1"]),
    (
        "taobao-shop",
        "TAOBAO",
        "COMPLAINTS",
        ("AFTERSALES", "COMPLAINTS"),
        180,
        ["TAOBAO-3-2.2.1", "TAOBAO-4-3.1.3"],
    ),
    ("live-room", "LIVE", "ROOM", ("ROOM",), 20, ["LIVE-3.1.1-2"]),
    ("mall-centre", "WEB", "ONLINE", ("GENERAL",), 45, ["MALL-1.3.2"]),
    ("mall-centre", "WEB", "COMPLAINTS", ("COMPLAINTS",), 30, ["MALL-1.3.2"]),
]


@pytest.mark.parametrize(
    ("site", "channel", "queue", "skills", "seconds"),
    [pytest.param(*case[:5], marks=pytest.mark.clause(*case[5]), id=f"{case[0]}-{case[2]}") for case in PROMISES],
)
async def test_an_answer_in_time_keeps_the_promise_and_the_next_moment_breaks_it(
    desk: Desk, site: str, channel: str, queue: str, skills: tuple[str, ...], seconds: int
) -> None:
    there = desk.at(site)
    lucky = await there.customer("lucky", channel).open(queue=queue)
    await there.advance(1)
    unlucky = await there.customer("unlucky", channel).open(queue=queue)
    await there.advance(seconds - 2)
    ann = await there.staff("ann", *skills, capacity=1)
    await ann.serve(lucky.name)
    await there.advance(1)
    await ann.say(lucky.name, "here is the answer")
    kept = await promise(ann, lucky.name, "FIRST_RESPONSE")
    assert (clock_state(kept), kept.target_seconds) == ("MET", seconds)
    assert (kept.stop_time.ToDatetime() - kept.start_time.ToDatetime()).total_seconds() == seconds
    await there.advance(1)
    assert clock_state(await promise(ann, unlucky.name, "FIRST_RESPONSE")) == "RUNNING"
    await there.advance(0.001)
    assert clock_state(await promise(ann, unlucky.name, "FIRST_RESPONSE")) == "BREACHED"
    due = unlucky.create_time.ToDatetime(UTC) + timedelta(seconds=seconds)
    assert (await told(there, unlucky.name))["FIRST_RESPONSE BREACHED"] == due


@pytest.mark.clause("MALL-1.3.2")
async def test_suggestions_wait_in_office_hours_only(desk: Desk) -> None:
    """Asked on Friday at 10:00, promised within 24 office hours: breaks, nights and the weekend do not count."""
    mall = desk.at("mall-centre")
    opened = await mall.customer("m-1", "WEB").open(queue="SUGGESTIONS")
    clock = await promise(mall.person("ann"), opened.name, "FIRST_RESPONSE")
    assert clock.target_seconds == 86_400
    # 7 h on Friday, 8 h on Monday and on Tuesday, 1 h on Wednesday: until 10:00 in Shanghai
    assert clock.due_time.ToDatetime().isoformat() == "2026-11-25T02:00:00"


@pytest.mark.clause("ONLINE-3.1.1-1")
async def test_a_welcome_a_note_and_a_bot_are_no_answer(bot_desk: Desk) -> None:
    """In a surge the bot speaks first; only a person's answer to the question stops the clock."""
    for number in range(50):
        await bot_desk.customer(f"c-{number}").open()
    await bot_desk.settle()
    customer = bot_desk.customer("asks")
    opened = await customer.open("where is my parcel?")
    assert state(opened) == "BOT"
    bot = bot_desk.person("bot", "bot", kind=Kind.SERVICE)
    await bot.say(opened.name, "on its way", kind=pb.Message.KIND_BOT_ANSWER)
    boss = bot_desk.person("boss", "supervisor")
    await boss.say(opened.name, "Welcome!", kind=pb.Message.KIND_GREETING)
    await boss.say(opened.name, "who knows this one?", kind=pb.Message.KIND_NOTE)
    await bot_desk.advance(30)
    assert clock_state(await promise(boss, opened.name, "FIRST_RESPONSE")) == "RUNNING"
    await bot_desk.advance(0.001)
    assert clock_state(await promise(boss, opened.name, "FIRST_RESPONSE")) == "BREACHED"


@pytest.mark.clause("LIVE-3.2.1-1")
async def test_a_viewer_who_enters_is_greeted_before_any_question(desk: Desk) -> None:
    room = desk.at("live-room")
    greeted = await room.customer("v-1", "LIVE").open("")
    ignored = await room.customer("v-2", "LIVE").open("")
    host = room.person("host", "host")
    await room.advance(10)
    await host.say(greeted.name, "welcome to the room", kind=pb.Message.KIND_GREETING)
    await room.advance(0.001)
    kept, broken = [await promise(host, one.name, "GREETING") for one in (greeted, ignored)]
    assert (clock_state(kept), kept.target_seconds) == ("MET", 10)
    assert clock_state(broken) == "BREACHED"
    assert state(await host.get(greeted.name)) == "NEW"
