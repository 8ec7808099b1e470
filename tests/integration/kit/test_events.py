"""Outbox → JetStream → inbox on the real parts: nothing lost, nothing twice, in order."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from kefu.events.v1.event_pb2 import ConversationMoved, Event
from nats.js import api

from services.kit import bus, call, parked
from services.kit.db import Database, Transaction
from services.kit.embedded import EmbeddedNats
from services.kit.inbox import Consumer, expire_inbox
from services.kit.relay import Progress, Relay
from services.kit.telemetry.trace import Trace
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases


def moved(conversation: str, version: int) -> Event:
    event = Event(site="desk", aggregate=f"sites/desk/conversations/{conversation}", version=version)
    event.conversation_moved.CopyFrom(ConversationMoved(to_state="OPEN"))
    return event


async def publish(database: Database, *events: Event) -> None:
    async with database.transaction() as tx:
        tx.publish(*events)


class Seen:
    """A handler that stores what it was given, and fails where it is told to."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.traces: list[str] = []

    async def __call__(self, event: Event, tx: Transaction) -> None:
        self.traces.append(call.current().trace.traceparent)
        await tx.execute("INSERT INTO seen (aggregate, version) VALUES ($1, $2)", event.aggregate, event.version)
        if event.aggregate in self.broken:
            raise ValueError("a person's words that must not be stored")


@contextlib.asynccontextmanager
async def running(*works: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(databases: Databases, nats_url: str) -> AsyncIterator[Database]:
    """A database of the test's own, with a table of effects, and an empty stream."""
    from services.kit.testing.nats import empty

    await empty(nats_url)
    database = Database((await databases.clone("kit"))["kit"], "kit")
    await database.open()
    await database.execute(
        "CREATE TABLE seen (nth bigint GENERATED ALWAYS AS IDENTITY, aggregate text, version bigint)"
    )
    yield database
    await database.close()


def start(
    database: Database, url: str, seen: Seen, *, relays: int = 1, names: Sequence[str] = ("kit-test",)
) -> list[asyncio.Task[None]]:
    works = [asyncio.create_task(Relay(database, url, consumers=names).run()) for _ in range(relays)]
    subjects = ["kefu.kit.*.conversations"]
    return works + [
        asyncio.create_task(Consumer(database, url, name=name, subjects=subjects, handler=seen).run()) for name in names
    ]


async def count(database: Database) -> int:
    return int(await database.fetchval("SELECT count(*) FROM seen"))


async def test_concurrent_writers_with_random_commit_delay_lose_nothing_and_keep_order(
    fresh: Database, nats_url: str
) -> None:
    chance = random.Random(7)

    async def writer(conversation: int) -> None:
        for version in range(1, 11):
            async with fresh.transaction() as tx:
                await tx.execute("SELECT pg_advisory_xact_lock($1)", conversation)
                tx.publish(moved(str(conversation), version))
                await fresh._flush(tx)  # the row is there, the commit comes later
                tx.events.clear()
                await tx.execute("SELECT pg_sleep($1)", chance.random() * 0.02)

    async with running(*start(fresh, nats_url, Seen(), relays=2)):
        await asyncio.gather(*(writer(number) for number in range(8)))
        await eventually(lambda: _is(fresh, 80))
        order = await fresh.fetch("SELECT aggregate, array_agg(version ORDER BY nth) AS versions FROM seen GROUP BY 1")
        assert [list(row["versions"]) for row in order] == [list(range(1, 11))] * 8
        await eventually(lambda: _empty(fresh))


async def _is(database: Database, number: int) -> bool:
    return await count(database) == number


async def _empty(database: Database) -> bool:
    return not await database.fetchval("SELECT count(*) FROM kefu_outbox")


async def test_a_row_stays_until_every_declared_consumer_has_passed(fresh: Database, nats_url: str) -> None:
    relay = Relay(fresh, nats_url, consumers=["kit-test", "other"])
    subjects = ["kefu.kit.*.conversations"]
    await publish(fresh, moved("a", 1))
    first = asyncio.create_task(Consumer(fresh, nats_url, name="kit-test", subjects=subjects, handler=Seen()).run())
    async with running(asyncio.create_task(relay.run()), first), bus.connected(nats_url, "t") as link:
        await eventually(lambda: _is(fresh, 1))
        assert await relay.trim(link) == 0
        other = Consumer(fresh, nats_url, name="other", subjects=subjects, handler=Seen())
        async with running(asyncio.create_task(other.run())):
            await eventually(lambda: _is(fresh, 2))
            await eventually(lambda: _empty(fresh))


async def test_nothing_waits_for_a_service_that_is_not_there(fresh: Database, nats_url: str) -> None:
    shown: dict[str, Progress] = {}
    relay = Relay(fresh, nats_url, consumers=["kit-test", "gone-people"], absent=["gone"], progress=shown.update)
    async with running(*start(fresh, nats_url, Seen())), bus.connected(nats_url, "t") as link:
        await bus.ensure_stream(link.jetstream)
        # what a service leaves in the stream when it is switched off
        await link.jetstream.add_consumer(bus.STREAM, api.ConsumerConfig(durable_name="gone-conversations"))
        await publish(fresh, moved("a", 1))
        await eventually(lambda: _is(fresh, 1))
        await eventually(lambda: relay.trim(link))
        assert "kit-test" in shown
        assert "gone-conversations" not in shown


async def test_the_same_event_twice_in_the_stream_has_one_effect(fresh: Database, nats_url: str) -> None:
    async with running(*start(fresh, nats_url, Seen())), bus.connected(nats_url, "t") as link:
        await publish(fresh, moved("a", 1))
        await eventually(lambda: _is(fresh, 1))
        message = await link.jetstream.get_msg(bus.STREAM, 1)
        assert message.data is not None
        await link.jetstream.publish("kefu.kit.desk.conversations", message.data, headers={"Nats-Msg-Id": "another"})
        await publish(fresh, moved("b", 1))
        await eventually(lambda: _is(fresh, 2))
        assert await fresh.fetchval("SELECT count(DISTINCT aggregate) FROM seen") == 2


async def test_poison_is_parked_after_five_tries_and_retried_on_request(
    fresh: Database, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "backoff", lambda _tries: 0.01)
    seen = Seen()
    seen.broken.add("sites/desk/conversations/poison")
    async with running(*start(fresh, nats_url, seen)):
        await publish(fresh, moved("a", 1), moved("poison", 1), moved("b", 1))
        await eventually(lambda: parked.list_parked(fresh))
        [item] = await parked.list_parked(fresh, consumer="kit-test")
        assert (item.tries, item.error) == (5, "ValueError")
        await eventually(lambda: _is(fresh, 2))
        await eventually(lambda: _empty(fresh))
        assert not await parked.retry(fresh, "kit-test", "nothing")
        seen.broken.clear()
        assert await parked.retry(fresh, "kit-test", item.item_id)
        await eventually(lambda: _is(fresh, 3))
        await eventually(lambda: _nothing_parked(fresh))


async def _nothing_parked(database: Database) -> bool:
    return not await database.fetchval("SELECT count(*) FROM kefu_parked")


async def test_bytes_that_are_no_event_are_parked(
    fresh: Database, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "backoff", lambda _tries: 0.01)
    async with running(*start(fresh, nats_url, Seen())), bus.connected(nats_url, "t") as link:
        await bus.ensure_stream(link.jetstream)
        await link.jetstream.publish("kefu.kit.desk.conversations", b"\xff\xff", headers={"Nats-Msg-Id": "garbage"})
        await eventually(lambda: parked.list_parked(fresh))
        assert (await parked.list_parked(fresh))[0].item_id == "garbage"


async def test_nats_away_and_back_loses_nothing(databases: Databases, tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats")
    server.start()
    database = Database((await databases.clone("kit"))["kit"], "kit")
    await database.open()
    await database.execute(
        "CREATE TABLE seen (nth bigint GENERATED ALWAYS AS IDENTITY, aggregate text, version bigint)"
    )
    async with running(*start(database, server.url, Seen())):
        await publish(database, moved("a", 1))
        await eventually(lambda: _is(database, 1))
        await asyncio.to_thread(server.stop, immediate=True)
        for version in range(2, 50):
            await publish(database, moved("a", version))
        assert await count(database) == 1
        again = EmbeddedNats(tmp_path / "nats", port=server.port)
        await asyncio.to_thread(again.start)
        await eventually(lambda: _is(database, 49), seconds=30)
        versions = await database.fetchval("SELECT array_agg(version ORDER BY nth) FROM seen")
        assert list(versions) == list(range(1, 50))
    await database.close()
    again.stop(immediate=True)


async def test_a_lost_stream_is_filled_again_from_the_outbox(fresh: Database, nats_url: str) -> None:
    relay = Relay(fresh, nats_url, consumers=["kit-test"])
    await publish(fresh, *(moved("a", version) for version in range(1, 6)))
    async with bus.connected(nats_url, "t") as link:
        await bus.ensure_stream(link.jetstream)
        async with running(asyncio.create_task(relay.run())):
            await eventually(lambda: _published(fresh))
        await link.jetstream.delete_stream(bus.STREAM)
        async with running(*start(fresh, nats_url, Seen())):
            await eventually(lambda: _is(fresh, 5))


async def test_a_message_lost_by_the_stream_is_published_again(fresh: Database, nats_url: str) -> None:
    relay = Relay(fresh, nats_url, consumers=["kit-test"])
    await publish(fresh, *(moved("a", version) for version in range(1, 6)))
    async with bus.connected(nats_url, "t") as link:
        await bus.ensure_stream(link.jetstream)
        async with running(asyncio.create_task(relay.run())):
            await eventually(lambda: _published(fresh))
        await link.jetstream.purge_stream(bus.STREAM)
        async with running(*start(fresh, nats_url, Seen())):
            await eventually(lambda: _is(fresh, 5))


async def test_what_the_stream_refuses_ends_what_counts_as_published(nats_url: str) -> None:
    """Order holds: what came after a refused message is published again with it."""
    async with bus.connected(nats_url, "t") as link:
        await bus.ensure_stream(link.jetstream)
        last = (await link.jetstream.stream_info(bus.STREAM)).state.last_seq
        refused: dict[str, str] = {api.Header.EXPECTED_LAST_SEQUENCE: "999999999"}
        messages = [("kefu.t.desk.x", b"1", {}), ("kefu.t.desk.x", b"2", refused), ("kefu.t.desk.x", b"3", {})]
        assert await link.publish(messages) == [last + 1]
        assert await link.publish([("kefu.t.desk.x", b"4", {}), ("nobody.listens", b"5", {})]) == [last + 3]


async def test_a_connection_that_breaks_ends_the_wait_for_answers(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats")
    await asyncio.to_thread(server.start)
    async with bus.connected(server.url, "t") as link, asyncio.timeout(4):  # sooner than bus.ANSWER_SECONDS
        await link.client.subscribe("nobody.answers")
        waiting = asyncio.create_task(link.publish([("nobody.answers", b"", {})]))
        await link.client.flush()
        await asyncio.to_thread(server.stop, immediate=True)
        assert await waiting == []


async def test_a_retired_consumer_leaves_the_stream(fresh: Database, nats_url: str) -> None:
    async with bus.connected(nats_url, "t") as link:
        await bus.ensure_stream(link.jetstream)
        await link.jetstream.add_consumer(bus.STREAM, api.ConsumerConfig(durable_name="kit-yesterday"))
        await Relay(fresh, nats_url, retired=["kit-never-here", "kit-yesterday"]).retire(link)
        assert all(info.name != "kit-yesterday" for info in await link.jetstream.consumers_info(bus.STREAM))


async def _published(database: Database) -> bool:
    return not await database.fetchval("SELECT count(*) FROM kefu_outbox WHERE published_seq IS NULL")


async def test_replay_repeats_the_effects_from_an_instant_on(fresh: Database, nats_url: str) -> None:
    seen = Seen()
    before = datetime.now(UTC) - timedelta(minutes=1)
    async with running(*start(fresh, nats_url, seen)):
        await publish(fresh, *(moved("a", version) for version in range(1, 4)))
        await eventually(lambda: _is(fresh, 3))
        consumer = Consumer(fresh, nats_url, name="kit-test", subjects=["kefu.kit.*.conversations"], handler=seen)
        assert await consumer.replay(before) == 3
        assert await count(fresh) == 6


async def test_the_trace_travels_with_the_event(fresh: Database, nats_url: str) -> None:
    seen = Seen()
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    async with running(*start(fresh, nats_url, seen)):
        with call.bind(call.system_call("test", trace=Trace(traceparent))):
            await publish(fresh, moved("a", 1))
        await eventually(lambda: seen.traces)
        assert seen.traces == [traceparent]


async def test_old_inbox_rows_expire(fresh: Database) -> None:
    await fresh.execute("INSERT INTO kefu_inbox VALUES ('c', 'old', now() - interval '15 days'), ('c', 'new', now())")
    async with fresh.transaction() as tx:
        assert await expire_inbox(tx) == 1


async def _swallow(entered: asyncio.Event) -> None:
    """Forget a cancellation, as `asyncio.wait_for` of Python 3.11 does when the answer comes at the same moment."""
    entered.set()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def _ends(work: asyncio.Task[None], entered: asyncio.Event) -> bool:
    await entered.wait()
    work.cancel()
    await asyncio.wait({work}, timeout=30)
    return work.done()


async def test_a_relay_ends_though_a_cancellation_was_forgotten(fresh: Database, nats_url: str) -> None:
    class Deaf(Relay):
        async def trim(self, link: bus.Link) -> int:  # noqa: ARG002 - overridden
            await _swallow(entered)
            return 0

    entered = asyncio.Event()
    assert await _ends(asyncio.create_task(Deaf(fresh, nats_url).run()), entered)


async def test_a_consumer_ends_though_a_cancellation_was_forgotten(fresh: Database, nats_url: str) -> None:
    class Deaf(Consumer):
        async def _ensure_consumer(self, link: bus.Link) -> None:
            await super()._ensure_consumer(link)
            await _swallow(entered)

    entered = asyncio.Event()
    consumer = Deaf(fresh, nats_url, name="deaf", subjects=["kefu.deaf.*.*"], handler=Seen())
    assert await _ends(asyncio.create_task(consumer.run()), entered)


async def test_work_on_a_connection_ends_though_a_cancellation_was_forgotten(nats_url: str) -> None:
    entered = asyncio.Event()
    assert await _ends(asyncio.create_task(bus.for_ever(nats_url, "deaf", lambda _: _swallow(entered))), entered)
