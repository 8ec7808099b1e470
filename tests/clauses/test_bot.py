"""The bot: there around the clock in the shop, at a peak only on the desk, and never in a person's way."""

from __future__ import annotations

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.access import Kind
from tests.clauses.acting import shown_values, state
from tests.clauses.conftest import BOT_PATIENCE_S
from tests.integration.intake.desk import Desk


@pytest.mark.clause("TAOBAO-1-3.3.1")
async def test_the_bot_is_there_at_every_hour(bot_desk: Desk) -> None:
    """Every hour of the day, also when the shop is closed from midnight to eight."""
    shop = bot_desk.at("taobao-shop")
    promised = shown_values("taobao-shop")["bot.service_hours_per_day"]["value"]
    bot, there = shop.person("bot", "bot", kind=Kind.SERVICE), 0
    for hour in range(24):
        opened = await shop.customer(f"h-{hour}", "TAOBAO").open("when do you ship?")
        await bot.say(opened.name, "today", kind=pb.Message.KIND_BOT_ANSWER)
        there += state(await bot.get(opened.name)) == "BOT"
        await shop.advance(3600)
    assert there == promised == 24


@pytest.mark.clause("ONLINE-3.2.1-3")
async def test_at_a_peak_the_bot_takes_simple_questions(bot_desk: Desk) -> None:
    bot = bot_desk.person("bot", "bot", kind=Kind.SERVICE)
    calm = [await bot_desk.customer(f"c-{number}").open() for number in range(50)]
    assert {state(one) for one in calm} == {"QUEUED"}
    await bot_desk.settle()
    simple = bot_desk.customer("simple")
    peak = await simple.open("when do you open?")
    assert state(peak) == "BOT"
    await bot.say(peak.name, "at nine", kind=pb.Message.KIND_BOT_ANSWER)
    assert state(await simple.leave(peak.name)) == "CLOSED"
    for number in range(11):
        await bot_desk.customer(f"c-{number}").leave(calm[number].name)
    await bot_desk.settle()
    assert state(await bot_desk.customer("after").open()) == "QUEUED"


@pytest.mark.clause("TAOBAO-1-3.3.3")
async def test_what_the_bot_cannot_solve_goes_to_a_person(bot_desk: Desk) -> None:
    """Three ways out: the bot is unsure, the customer wants a person, the bot says nothing."""
    shop = bot_desk.at("taobao-shop")
    bot = shop.person("bot", "bot", kind=Kind.SERVICE)
    threshold = shown_values("taobao-shop")["bot.confidence_threshold"]["value"]
    states = []
    for customer, confidence in (("sure", 0.93), ("unsure", 0.41)):
        opened = await shop.customer(customer, "TAOBAO").open("does it shrink?")
        if confidence < threshold:
            await bot.stub.EscalateToHuman(api.EscalateToHumanRequest(name=opened.name))
        else:
            await bot.say(opened.name, "no", kind=pb.Message.KIND_BOT_ANSWER)
        states.append(state(await bot.get(opened.name)))
    assert states == ["BOT", "QUEUED"]
    asks = shop.customer("asks", "TAOBAO")
    opened = await asks.open("a person, please")
    assert state(await asks.stub.EscalateToHuman(api.EscalateToHumanRequest(name=opened.name))) == "QUEUED"
    silence = await shop.customer("silence", "TAOBAO").open("anybody?")
    await shop.advance(BOT_PATIENCE_S + 1)
    ann = await shop.staff("ann", "PRESALES")
    assert (state(await ann.get(silence.name)), (await ann.get(silence.name)).assignee) == ("ASSIGNED", "ann")
