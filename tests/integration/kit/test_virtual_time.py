"""AdvanceClock: a virtual stack moves deadline by deadline; any other stack refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import pytest_asyncio
from kefu.common.v1.clock_service_pb2 import AdvanceClockRequest
from kefu.events.v1.event_pb2 import ClockChanged, Event

from services.kit.call import Call, bind
from services.kit.db import Database, Transaction
from services.kit.deadline import Deadline
from services.kit.errors import DeadlineExceeded, FailedPrecondition
from services.kit.inbox import Consumer
from services.kit.relay import Relay
from services.kit.settle import Settler
from services.kit.testing.nats import empty
from services.kit.testing.postgres import Databases
from services.kit.timers import ClockServicer, Dispatcher, Timer, VirtualTime, arm

START = datetime(2026, 3, 8, 6, 59, tzinfo=UTC)  # a minute before New York's clocks jump


class Stack(NamedTuple):
    database: Database
    time: VirtualTime
    log: list[tuple[str, datetime]]
    settler: Settler


@pytest_asyncio.fixture(loop_scope="session")
async def stack(databases: Databases, nats_url: str) -> AsyncIterator[Stack]:
    """A stack whose timers publish events, and whose consumer arms a follow-up timer ten seconds later."""
    await empty(nats_url)
    database = Database((await databases.clone("kit", virtual=START))["kit"], "kit")
    await database.open()
    log: list[tuple[str, datetime]] = []

    async def fire(timers: list[Timer], tx: Transaction) -> None:
        for timer in timers:
            log.append((f"fired {timer.owner_id}", tx.now))
            event = Event(site="desk", aggregate=f"sites/desk/conversations/{timer.owner_id}", version=1)
            event.clock_changed.CopyFrom(ClockChanged(change="BREACHED"))
            tx.publish(event)

    async def consume(event: Event, tx: Transaction) -> None:
        owner = event.aggregate.rsplit("/", 1)[1]
        log.append((f"heard {owner}", tx.now))
        if not owner.endswith("+"):
            await arm(tx, [Timer("conversation", owner + "+", "k", "desk", 1, tx.now + timedelta(seconds=10))])

    relay = Relay(database, nats_url, consumers=["kit-test"])
    async with Settler(relay, nats_url) as settler:
        consumer = Consumer(
            database,
            nats_url,
            name="kit-test",
            subjects=["kefu.kit.*.conversations"],
            handler=consume,
            afterwards=settler.relay,
        )
        works = [asyncio.create_task(relay.run()), asyncio.create_task(consumer.run())]
        yield Stack(
            database,
            VirtualTime(database, Dispatcher(database, {"conversation": fire}), settle=settler.settle),
            log,
            settler,
        )
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    await database.close()


async def armed(database: Database, owner: str, seconds: float) -> None:
    async with database.transaction() as tx:
        await arm(tx, [Timer("conversation", owner, "k", "desk", 1, START + timedelta(seconds=seconds))])


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def test_each_deadline_is_met_at_its_instant_with_all_that_follows(stack: Stack) -> None:
    await armed(stack.database, "b", 65)
    await armed(stack.database, "a", 60)
    now, fired = await stack.time.advance(at(3600))
    assert (now, fired) == (at(3600), 4)
    assert stack.log == [
        ("fired a", at(60)),
        ("heard a", at(60)),
        ("fired b", at(65)),
        ("heard b", at(65)),
        ("fired a+", at(70)),
        ("heard a+", at(70)),
        ("fired b+", at(75)),
        ("heard b+", at(75)),
    ]
    assert await stack.database.fetchval("SELECT kefu_now()") == at(3600)
    assert stack.database.clock.now() == at(3600)


async def test_it_never_goes_back_and_never_past_its_aim(stack: Stack) -> None:
    await armed(stack.database, "a", 60)
    assert await stack.time.advance(at(59)) == (at(59), 0)
    assert await stack.time.advance(at(10)) == (at(59), 0)
    assert await stack.time.advance(at(60)) == (at(60), 1)


async def test_another_process_of_the_stack_follows(stack: Stack, nats_url: str) -> None:
    other = Database(stack.database.pool.dsn, "kit")
    await other.open(hints=False)
    await stack.time.advance(at(100))
    async with other.transaction() as tx:
        assert tx.now == at(100)
    await other.close()


async def test_a_consumer_that_does_not_run_ends_at_the_deadline(stack: Stack, nats_url: str) -> None:
    absent = Consumer(
        stack.database,
        nats_url,
        name="absent",
        subjects=["kefu.kit.*.conversations"],
        handler=None,  # type: ignore[arg-type]
    )
    assert stack.settler._link is not None
    await absent._ensure_consumer(stack.settler._link)
    await armed(stack.database, "a", 1)
    with bind(Call("m", deadline=Deadline(0.5))), pytest.raises(DeadlineExceeded):
        await stack.time.advance(at(2))


async def test_a_stack_on_real_time_refuses(databases: Databases) -> None:
    database = Database((await databases.clone("kit"))["kit"], "kit")
    await database.open(hints=False)

    async def settle() -> None:
        raise AssertionError

    servicer = ClockServicer(VirtualTime(database, Dispatcher(database, {}), settle=settle))
    request = AdvanceClockRequest()
    request.to.FromDatetime(START)
    with pytest.raises(FailedPrecondition, match="CLOCK_NOT_VIRTUAL"):
        await servicer.AdvanceClock(request, None)
    await database.close()


async def test_the_rpc_answers_with_the_new_instant(stack: Stack) -> None:
    await armed(stack.database, "x+", 5)
    request = AdvanceClockRequest()
    request.to.FromDatetime(at(30))
    response = await ClockServicer(stack.time).AdvanceClock(request, None)
    assert response.now.ToDatetime(UTC) == at(30)
    assert response.timers_fired == 1
