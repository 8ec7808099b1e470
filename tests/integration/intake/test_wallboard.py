"""The wallboard's figures against a small history reckoned by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import site_service_pb2 as api

from services.kit.errors import NotFound, PermissionDenied
from tests.integration.intake.desk import START, Desk


async def board(desk: Desk, person: str = "boss", *roles: str) -> api.Wallboard:
    stub = desk.person(person, *(roles or ("supervisor",))).site
    return await stub.GetWallboard(api.GetWallboardRequest(parent=desk.parent))


def queue(of: api.Wallboard, name: str) -> api.QueueFigures:
    return next(one for one in of.queues if one.queue == name)


def figures(level: api.ServiceLevel) -> tuple[int, int, int, float]:
    return level.met, level.breached, level.cancelled, level.ratio


async def test_an_empty_site_shows_every_queue_with_its_promise(desk: Desk) -> None:
    shown = await board(desk)
    assert {one.queue for one in shown.queues} == {"GENERAL", "ACCOUNT", "SPECIALIST", "COMPLAINTS", "TICKETS"}
    assert queue(shown, "GENERAL").first_response_target_seconds == 30
    assert queue(shown, "TICKETS").first_response_target_seconds == 14400
    assert figures(queue(shown, "GENERAL").today) == (0, 0, 0, 1.0)
    assert (shown.customers_online, shown.surge, list(shown.people), list(shown.breaches)) == (0, False, [], [])


@pytest.mark.clause("ONLINE-3.1.1-1")
async def test_waiting_serving_levels_and_breaches(desk: Desk) -> None:
    # t=0: c-1 asks, is taken, answered at 10 s (met). c-2 asks at 10 s and is never answered (breaks at 40 s).
    # c-3 asks at 20 s and leaves at 25 s (not judged). c-4 asks at 50 s and waits.
    ann = await desk.staff("ann", capacity=1)
    first = await desk.customer("c-1").open()
    await desk.settle()
    await ann.serve(first.name)
    await desk.advance(10)
    await ann.say(first.name, "hello")
    second = await desk.customer("c-2").open()
    await desk.advance(10)
    leaver = desk.customer("c-3")
    third = await leaver.open()
    await desk.advance(5)
    await leaver.leave(third.name)
    await desk.advance(25)
    await desk.customer("c-4").open()
    await desk.advance(10)
    shown = await board(desk)
    general = queue(shown, "GENERAL")
    assert (general.waiting, general.serving) == (2, 1)
    assert general.oldest_wait_seconds == 50
    assert figures(general.today) == figures(general.recent) == (1, 1, 1, 0.5)
    assert shown.customers_online == 3
    (breach,) = shown.breaches
    assert (breach.conversation, breach.clock, breach.queue) == (second.name, pb.Clock.KIND_FIRST_RESPONSE, "GENERAL")
    assert breach.time.ToDatetime() == second.create_time.ToDatetime() + timedelta(seconds=30)
    assert breach.person == ""
    (person,) = shown.people
    assert (person.person, person.presence, person.load, person.capacity) == ("ann", "AVAILABLE", 1, 1)


async def test_occupancy_is_the_share_of_available_time_with_a_customer(desk: Desk) -> None:
    # ann: free for 60 s, busy for 180 s, on a break for 100 s, free for 60 s: 180 / 300.
    ann, customer = await desk.staff("ann"), desk.customer("c-1")
    await desk.advance(60)
    opened = await customer.open()
    await desk.settle()
    await ann.serve(opened.name)
    await desk.advance(10)
    await ann.say(opened.name, "hello")
    await desk.advance(170)
    await ann.close(opened.name)
    await desk.presence("ann", "BREAK")
    await desk.advance(100)
    await desk.presence("ann", "AVAILABLE")
    await desk.advance(60)
    (person,) = (await board(desk)).people
    assert person.occupancy_ratio == pytest.approx(180 / 300)
    await desk.advance(780)  # what is older than 15 minutes no longer counts: 1180 s since the start, so from 280 s on
    (person,) = (await board(desk)).people
    assert person.occupancy_ratio == pytest.approx(0 / 840)


async def test_today_begins_at_midnight_of_the_site(desk: Desk) -> None:
    await desk.customer("c-1").open()
    await desk.advance(31)
    assert figures(queue(await board(desk), "GENERAL").today) == (0, 1, 0, 0.0)
    midnight = datetime.fromisoformat("2026-11-21T00:00+08:00")
    await desk.advance((midnight - START).total_seconds() - 31 - 1)
    assert figures(queue(await board(desk), "GENERAL").today) == (0, 1, 0, 0.0)
    await desk.advance(1)
    shown = await board(desk)
    assert figures(queue(shown, "GENERAL").today) == (0, 0, 0, 1.0)
    assert list(shown.breaches) == []


async def test_names_are_for_those_who_may_read_them(desk: Desk) -> None:
    await desk.staff("ann")
    assert [one.display_name for one in (await board(desk)).people] == ["Person ann"]
    assert [one.display_name for one in (await board(desk, "ops", "engineer")).people] == ["P*"]


async def test_customers_strangers_and_unknown_sites_get_no_wallboard(desk: Desk) -> None:
    with pytest.raises(PermissionDenied):
        await board(desk, "c", "customer")
    with pytest.raises(PermissionDenied):
        await desk.person("eve", "supervisor", sites=["mall-centre"]).site.GetWallboard(
            api.GetWallboardRequest(parent=desk.parent)
        )
    with pytest.raises(NotFound) as unknown:
        await board(desk.at("nowhere"))
    assert unknown.value.reason_name == "SITE_UNKNOWN"
