"""Who gets which conversation when: order, skills, capacity, silence, absence; also when everybody asks at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from kefu.events.v1.event_pb2 import Event
from kefu.intake.v1 import conversation_pb2 as pb

from services.intake.commands import routing
from services.kit.errors import FailedPrecondition, InvalidArgument, KefuError, NotFound, PermissionDenied
from services.kit.testing.nats import empty
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases
from services.kit.timers import Timer, arm
from tests.integration.intake.desk import START, Desk, Person, running


async def assignee(desk: Desk, name: str) -> str:
    return (await desk.person("boss", "supervisor").get(name)).assignee


async def loads(desk: Desk) -> dict[str, int]:
    rows = await desk.app.database.fetch("SELECT person, load FROM agents WHERE site = $1", desk.site)
    return {row["person"]: row["load"] for row in rows}


async def counted(desk: Desk) -> dict[str, int]:
    """Loads as the conversations themselves tell them."""
    rows = await desk.app.database.fetch(
        """SELECT person, count(*)::int AS load FROM (
               SELECT assignee AS person FROM conversations WHERE site = $1 AND assignee <> '' AND state IN
                   ('ASSIGNED', 'RECEPTION', 'SERVING', 'PENDING_VERIFICATION', 'HANDOFF_PENDING', 'WRAP_UP',
                    'HARASSMENT_HOLD')
               UNION ALL
               SELECT accountable_owner FROM conversations
               WHERE site = $1 AND state = 'HANDOFF_PENDING' AND accountable_owner <> assignee) AS held
           GROUP BY person""",
        desk.site,
    )
    return {row["person"]: row["load"] for row in rows}


async def test_oldest_first_and_longest_idle_first(desk: Desk) -> None:
    names = []
    for number in range(3):
        names.append((await desk.customer(f"c-{number}").open()).name)
        await desk.advance(1)
    await desk.staff("ann", capacity=1)
    await desk.advance(1)
    await desk.staff("bob", capacity=1)
    assert [await assignee(desk, name) for name in names] == ["ann", "bob", ""]


@pytest.mark.clause("ONLINE-3.2.1-2")
async def test_a_vip_goes_first_and_nobody_starves(desk: Desk) -> None:
    await desk.tier("vip", "VIP")
    ordinary = (await desk.customer("c-1").open()).name
    await desk.advance(3)
    vip = (await desk.customer("vip").open()).name
    assert (await desk.person("a").get(vip)).tier == "VIP"
    await desk.advance(2)
    ann = await desk.staff("ann", capacity=1)
    assert [await assignee(desk, vip), await assignee(desk, ordinary)] == ["ann", ""]
    # past 80 % of the promise everybody goes before every tier
    await desk.advance(20)
    await desk.customer("vip-2", tier="VIP").open()
    await ann.serve(vip)
    await ann.close(vip)
    await desk.settle()
    assert await assignee(desk, ordinary) == "ann"


async def test_skills_and_certificates_decide_who_may(desk: Desk) -> None:
    await desk.staff("green", certified=False)
    await desk.staff("other", "ACCOUNT")
    await desk.staff("away", presence="BREAK")
    await desk.staff("gone", active=False)
    name = (await desk.customer().open()).name
    await desk.settle()
    assert await assignee(desk, name) == ""
    await desk.staff("ann", "GENERAL", "ACCOUNT")
    assert await assignee(desk, name) == "ann"


async def test_silence_takes_it_back_with_its_old_waiting_time(desk: Desk) -> None:
    await desk.staff("ann")
    opened = await desk.customer().open()
    await desk.settle()
    assert await assignee(desk, opened.name) == "ann"
    bob = await desk.staff("bob")
    await desk.advance(61)
    taken = await bob.get(opened.name)
    assert (taken.assignee, taken.queue_time) == ("bob", opened.queue_time)
    assert await loads(desk) == {"ann": 0, "bob": 1}
    told = [entry.what for entry in await desk.history(opened.name)]
    assert told[-4:] == ["takeBack", "assign TAKEN_BACK", "offer", "assign ROUTED"]


async def test_silence_after_accepting_takes_it_back_too(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = (await desk.customer().open()).name
    await desk.settle()
    await ann.accept(name)
    bob = await desk.staff("bob")
    await desk.advance(61)
    assert (await bob.get(name)).assignee == "bob"
    with pytest.raises(FailedPrecondition):
        await ann.say(name)


async def test_an_answer_stops_the_taking_back(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = (await desk.customer().open()).name
    await desk.settle()
    await ann.serve(name)
    await ann.say(name)
    await desk.staff("bob")
    await desk.advance(600)
    assert await assignee(desk, name) == "ann"


async def handed_over(desk: Desk) -> tuple[Person, str]:
    """A conversation that ann answered and handed over, and the specialist to whom it is offered."""
    ann = await desk.staff("ann")
    name = (await desk.customer().open()).name
    await desk.settle()
    await ann.serve(name)
    await ann.say(name)
    spec = await desk.staff("spec", "SPECIALIST")
    await ann.transfer(name, queue="SPECIALIST")
    await desk.settle()
    return spec, name


async def test_a_specialist_who_stays_silent_after_accepting_loses_it(desk: Desk) -> None:
    spec, name = await handed_over(desk)
    await desk.advance(30)
    await spec.accept(name)
    await desk.staff("other", "SPECIALIST")
    await desk.advance(59)
    assert await assignee(desk, name) == "spec"
    await desk.advance(2)
    assert await assignee(desk, name) == "other"
    with pytest.raises(FailedPrecondition):
        await spec.say(name)


async def test_only_the_specialists_own_words_stop_the_taking_back(desk: Desk) -> None:
    spec, name = await handed_over(desk)
    await spec.accept(name)
    await desk.person("boss", "supervisor").say(name, "a moment")
    await spec.say(name, "what is it about?", kind=pb.Message.KIND_NOTE)
    (silent,) = await desk.app.database.fetch("SELECT silent FROM conversations")
    assert silent["silent"]
    await spec.say(name)
    await desk.staff("other", "SPECIALIST")
    await desk.advance(600)
    assert await assignee(desk, name) == "spec"


async def test_who_gets_a_declined_hand_over_back_had_spoken_already(desk: Desk) -> None:
    spec, name = await handed_over(desk)
    await spec.decline(name)
    await desk.staff("other")
    await desk.advance(600)
    assert await assignee(desk, name) == "ann"


async def test_a_declined_conversation_goes_to_somebody_else(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = (await desk.customer().open()).name
    await desk.settle()
    declined = await ann.decline(name)
    assert declined.state == pb.Conversation.STATE_QUEUED
    await desk.staff("bob")
    assert await assignee(desk, name) == "bob"


async def test_who_goes_offline_gets_nothing_new_and_keeps_what_they_serve(desk: Desk) -> None:
    ann = await desk.staff("ann")
    served, offered = [(await desk.customer(f"c-{number}").open()).name for number in range(2)]
    await desk.settle()
    await ann.serve(served)
    await ann.say(served)
    await desk.presence("ann", "OFFLINE")
    assert [await assignee(desk, served), await assignee(desk, offered)] == ["ann", ""]
    later = (await desk.customer("c-9").open()).name
    await desk.settle()
    assert await assignee(desk, later) == ""
    await desk.staff("bob")
    assert [await assignee(desk, offered), await assignee(desk, later)] == ["bob", "bob"]


async def test_an_older_event_undoes_nothing(desk: Desk) -> None:
    await desk.staff("ann")
    event = Event(aggregate=f"{desk.parent}/people/ann")
    event.presence_changed.person, event.presence_changed.state = "ann", "OFFLINE"
    desk._versions = iter([1])  # type: ignore[assignment]
    await desk.tell(event)
    await desk.settle()
    name = (await desk.customer().open()).name
    await desk.settle()
    assert await assignee(desk, name) == "ann"


@pytest_asyncio.fixture(loop_scope="session")
async def two(databases: Databases, nats_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Two instances on one database."""
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, tmp_path, instances=2) as desk:
        yield desk


async def test_nobody_ever_has_more_than_their_capacity(two: Desk) -> None:
    """Openings, acceptances, transfers, endings and routing at once, from two instances."""
    people = {person: [two.person(person, app=app) for app in (0, 1)] for person in ("ann", "bob", "eve")}
    for person in people:
        await two.staff(person, capacity=2)

    async def live(number: int) -> None:
        customer = two.customer(f"c-{number}", app=number % 2)
        name = (await customer.open()).name
        for step in range(60):
            await asyncio.sleep(0)
            try:
                conversation = await customer.get(name)
                who = people.get(conversation.assignee)
                if who is None:
                    await two.settle()
                    continue
                me = who[(number + step) % 2]
                if conversation.state == pb.Conversation.STATE_ASSIGNED:
                    await me.serve(name)
                elif conversation.state == pb.Conversation.STATE_SERVING and step % 3 == 0:
                    await me.transfer(name, person="eve" if conversation.assignee != "eve" else "ann")
                elif conversation.state == pb.Conversation.STATE_HANDOFF_PENDING:
                    await (me.accept(name) if step % 2 else me.decline(name))
                elif conversation.state == pb.Conversation.STATE_SERVING:
                    await me.close(name)
                    return
            except (FailedPrecondition, InvalidArgument):
                pass

    async def watch(done: asyncio.Event) -> int:
        worst = 0
        while not done.is_set():
            rows = await two.app.database.fetch("SELECT load, capacity FROM agents")
            worst = max([worst, *(row["load"] - row["capacity"] for row in rows)])
            await asyncio.sleep(0.005)
        return worst

    done = asyncio.Event()
    watching = asyncio.create_task(watch(done))
    await asyncio.gather(*(live(number) for number in range(10)))
    await two.settle()
    done.set()
    assert await watching <= 0
    assert {person: load for person, load in (await loads(two)).items() if load} == await counted(two)


@pytest.mark.clause("ONLINE-3.2.1-1")
async def test_surge_begins_at_fifty_and_ends_below_forty(desk: Desk) -> None:
    names = [(await desk.customer(f"c-{number}").open()).name for number in range(49)]

    async def surge() -> bool:
        await desk.settle()
        return bool(await desk.app.database.fetchval("SELECT surge FROM site_states WHERE site = $1", desk.site))

    assert not await surge()
    names.append((await desk.customer("c-49").open()).name)
    assert await surge()
    for number in range(10):
        await desk.customer(f"c-{number}").leave(names[number])
    assert await surge()  # forty are left: hysteresis
    await desk.customer("c-10").leave(names[10])
    assert not await surge()
    events = "SELECT payload FROM kefu_outbox WHERE aggregate = $1 ORDER BY version"
    rows = await desk.app.database.fetch(events, desk.parent)
    told = [Event.FromString(row["payload"]).surge_changed for row in rows]
    assert [(one.active, one.customers_online) for one in told] == [(True, 50), (False, 39)]


async def test_another_sites_and_another_customers_objects(desk: Desk) -> None:
    opened = await desk.customer("c-1").open()
    unknown = f"{desk.parent}/conversations/0190b2c8-1111-7000-8000-000000000001"
    stranger = desk.customer("c-2")
    seen: list[KefuError] = []
    for name in (opened.name, unknown):
        for attempt in (stranger.say(name), stranger.get(name), stranger.leave(name)):
            with pytest.raises(PermissionDenied) as refused:
                await attempt
            seen.append(refused.value)
    assert len({str(error) for error in seen}) == 1
    elsewhere = desk.person("ann", sites=["mall-centre"])
    for name in (opened.name, unknown):
        for denied in (elsewhere.say(name), elsewhere.accept(name), elsewhere.get(name)):
            with pytest.raises(PermissionDenied):
                await denied
    with pytest.raises(NotFound):
        await desk.person("ann").say(unknown)
    with pytest.raises(PermissionDenied):
        await desk.customer("c-1").open("hi", customer="c-2")
    with pytest.raises(InvalidArgument) as wrong:
        await desk.customer("c-1").open("hi", queue="NOWHERE")
    assert wrong.value.fields[0].field == "conversation.queue"
    with pytest.raises(NotFound) as site:
        await desk.at("nowhere").customer("c-1").open("hi")
    assert site.value.reason_name == "SITE_UNKNOWN"


async def test_a_queue_that_nobody_serves_keeps_no_other_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "LINE", 2)
    for number in range(3):
        await desk.customer(f"c-{number}").open(queue="ACCOUNT")
    await desk.advance(1)
    name = (await desk.customer("c-9").open(queue="GENERAL")).name
    await desk.staff("ann", "GENERAL")
    assert await assignee(desk, name) == "ann"


async def test_going_away_locks_in_the_order_of_commands(desk: Desk) -> None:
    """A command that holds a conversation can still take the person: the event waits for it, not it for the event."""
    await desk.staff("ann")
    name = (await desk.customer().open()).name
    await desk.settle()
    gone = Event(aggregate=f"{desk.parent}/people/ann")
    gone.presence_changed.person, gone.presence_changed.state = "ann", "OFFLINE"
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with desk.app.database.transaction(sites=[desk.site]) as command:
        await command.execute("SELECT FROM conversations WHERE site = $1 FOR UPDATE", desk.site)
        await desk.tell(gone)
        await eventually(lambda: desk.app.database.fetchval(waiting))
        await command.execute("SELECT FROM agents WHERE site = $1 FOR UPDATE NOWAIT", desk.site)
    await desk.settle()
    assert (await assignee(desk, name), await loads(desk)) == ("", {"ann": 0})


async def test_the_router_waits_for_no_timer_that_goes_off_elsewhere(desk: Desk) -> None:
    """Another worker has a conversation's timer and wants the site's, which this one has: neither may wait for both."""
    names = [(await desk.customer(f"c-{number}").open()).name for number in range(2)]
    later = desk.now + timedelta(days=1)
    # set to later than the take-back, so that offering has to set it anew
    await desk.app.database.execute("UPDATE conversations SET timer_at = $1", later)
    await desk.app.database.execute("UPDATE kefu_timers SET due_at = $1, fire_at = $1", later)
    await desk.settle()
    async with desk.app.database.transaction() as elsewhere:
        await elsewhere.execute("DELETE FROM kefu_timers WHERE owner_id = $1", names[0].split("/")[-1])
        await desk.staff("ann")
        assert [await assignee(desk, name) for name in names] == ["", "ann"]
        await elsewhere.execute("SET LOCAL lock_timeout = '5s'")
        await arm(elsewhere, [Timer("site", desk.site, "route", desk.site, 2**60, desk.now)])
    await desk.advance(1)
    assert await assignee(desk, names[0]) == "ann"


async def test_events_in_a_row_let_each_person_go(desk: Desk) -> None:
    for person in ("ann", "bob"):
        await desk.staff(person)
    names = [(await desk.customer(f"c-{number}").open()).name for number in range(4)]
    await desk.settle()
    for person in ("bob", "ann"):
        gone = Event(aggregate=f"{desk.parent}/people/{person}")
        gone.presence_changed.person, gone.presence_changed.state = person, "OFFLINE"
        await desk.tell(gone)
    await desk.settle()
    assert [await assignee(desk, name) for name in names] == [""] * 4
    assert await loads(desk) == {"ann": 0, "bob": 0}


async def test_words_after_entering_meet_the_bot_in_a_surge(
    databases: Databases, nats_url: str, tmp_path: Path
) -> None:
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, tmp_path, bot_patience_seconds=10.0) as desk:
        surge = "INSERT INTO site_states (site, surge, customers_online) VALUES ($1, true, 50)"
        await desk.app.database.execute(surge, desk.site)
        customer = desk.customer()
        entered = await customer.open("")
        assert entered.state == pb.Conversation.STATE_NEW
        await customer.say(entered.name)
        assert (await customer.get(entered.name)).state == pb.Conversation.STATE_BOT
