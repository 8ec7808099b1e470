"""Harassment: the agent is out of it at once, and a supervisor is told and owes a look."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from tests.clauses.acting import clock_state, promise, served, state
from tests.integration.intake.desk import Desk

NOTE = pb.Message.KIND_NOTE


@pytest.mark.clause("TAOBAO-3-2.4.3-2")
async def test_a_supervisor_learns_of_harassment_and_looks_within_two_minutes(desk: Desk) -> None:
    shop = desk.at("taobao-shop")
    ann, boss = await shop.staff("ann", "PRESALES"), shop.person("boss", "supervisor")
    noted, released, closed, forgotten = [
        await served(shop, ann, shop.customer(f"c-{number}", "TAOBAO")) for number in range(4)
    ]
    stream = boss.site.WatchSite(site_api.WatchSiteRequest(parent=shop.parent))
    events: Any = stream.__aiter__()
    for name in (noted, released, closed, forgotten):
        held = await ann.stub.ReportHarassment(api.ReportHarassmentRequest(name=name, reason="insults"))
        assert state(held) == "HARASSMENT_HOLD"
    await shop.settle()
    told: set[str] = set()
    async with asyncio.timeout(10):
        while told != {noted, released, closed, forgotten}:
            event = await anext(events)
            if "HARASSMENT_HOLD" in event.details.values():
                told.add(event.conversation)
    stream.cancel()
    await ann.say(noted, "still at it", kind=NOTE)
    assert clock_state(await promise(boss, noted, "HARASSMENT")) == "RUNNING"
    await shop.advance(120)
    await boss.say(noted, "I am calling them", kind=NOTE)
    await boss.stub.ReleaseHold(api.ReleaseHoldRequest(name=released, resume=True))
    await boss.stub.ReleaseHold(api.ReleaseHoldRequest(name=closed))
    for name in (noted, released, closed):
        kept = await promise(boss, name, "HARASSMENT")
        assert (clock_state(kept), kept.target_seconds) == ("MET", 120)
    await shop.advance(0.001)
    assert clock_state(await promise(boss, forgotten, "HARASSMENT")) == "BREACHED"
    board = await boss.site.GetWallboard(site_api.GetWallboardRequest(parent=shop.parent))
    assert [breach.conversation for breach in board.breaches] == [forgotten]
