"""Figures that the rules judge by: measured by themselves, live and over a period, by site, queue and person."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta

import pytest
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from tests.clauses.acting import SITES, served
from tests.integration.intake.desk import START, Desk


def asked_for(desk: Desk) -> site_api.GetServiceLevelReportRequest:
    """The report of the first day."""
    request = site_api.GetServiceLevelReportRequest(parent=desk.parent)
    getattr(request, "from").FromDatetime(START - timedelta(hours=1))
    request.to.FromDatetime(START + timedelta(days=1))
    return request


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("taobao-shop", marks=pytest.mark.clause("TAOBAO-1-5.1.1-2", "TAOBAO-3-3.1.1", "TAOBAO-3-3.1.2")),
        pytest.param("mall-centre", marks=pytest.mark.clause("MALL-6.1.2-1")),
        pytest.param("live-room", marks=pytest.mark.clause("LIVE-2.3.1-1")),
    ],
)
async def test_customers_answered_and_time_to_answer_are_measured(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann = await there.staff("ann", *skills)
    for customer, after in (("c-1", 4), ("c-2", 10)):
        name = await served(there, ann, there.customer(customer, channel), queue=queue)
        await there.advance(after)
        await ann.say(name, "here it is")
    await there.presence("ann", "BREAK")
    left = await there.customer("c-3", channel).open(queue=queue)
    await there.customer("c-3", channel).leave(left.name)
    boss = there.person("boss", "supervisor")
    shown = await boss.site.GetServiceLevelReport(asked_for(there))
    assert (shown.total.offered, shown.total.answered, shown.total.abandoned) == (3, 2, 1)
    assert shown.total.first_response_mean_seconds == pytest.approx(7)
    [person], [line] = shown.by_person, shown.by_queue
    assert (person.key, person.answered) == ("ann", 2)
    assert person.first_response_mean_seconds == pytest.approx(7)
    assert (line.key, line.offered, line.answered) == (queue, 3, 2)
    exported = await boss.site.ExportServiceLevelReport(asked_for(there))
    rows = list(csv.reader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert any("ann" in row for row in rows[1:])
    assert any(queue in row for row in rows[1:])


@pytest.mark.clause("LIVE-3.3.1-1", "LIVE-3.3.1-2")
async def test_a_supervisor_watches_dialogue_and_reply_times_as_they_happen(desk: Desk) -> None:
    room = desk.at("live-room")
    host, viewer = await room.staff("host", "ROOM"), room.customer("v-1", "LIVE")
    boss = room.person("boss", "supervisor")
    name = await served(room, host, viewer, text="is it warm?")
    dialogue = boss.stub.WatchConversation(api.WatchConversationRequest(name=name))
    words = dialogue.__aiter__()
    events = boss.site.WatchSite(site_api.WatchSiteRequest(parent=room.parent))
    happening = events.__aiter__()
    await host.say(name, "lined with down")
    late = await room.customer("v-2", "LIVE").open("and in green?")
    await room.advance(21)
    seen: list[str] = []
    async with asyncio.timeout(10):
        while "lined with down" not in seen:
            seen.append((await anext(words)).message.text)
        while (event := await anext(happening)).conversation != late.name or event.kind != "clock_changed":
            pass
    dialogue.cancel()
    events.cancel()
    assert "is it warm?" in seen
    shown = await boss.site.GetWallboard(site_api.GetWallboardRequest(parent=room.parent))
    [room_queue] = [line for line in shown.queues if line.queue == "ROOM"]
    assert (room_queue.today.met, room_queue.today.breached, room_queue.first_response_target_seconds) == (1, 1, 20)
    assert [breach.conversation for breach in shown.breaches] == [late.name]
    assert [(one.person, one.load) for one in shown.people] == [("host", 2)]
