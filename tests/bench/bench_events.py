"""`python -m tests.bench.bench_events`: outbox → JetStream → inbox at 500 events a second, with two consumers."""

from __future__ import annotations

import asyncio
import sys
import time

import nats
import uvloop
from kefu.events.v1.event_pb2 import ConversationMoved, Event

from services.kit import bus
from services.kit.db import Database, Transaction
from services.kit.inbox import Consumer
from services.kit.relay import Relay
from tests.bench.report import Report, percentile, quick
from tests.bench.stack import stack

RATE = 500
CONSUMERS = ("bench-a", "bench-b")
AGGREGATES = 200


class Watch:
    """When each event was committed, and when each consumer had committed its effect."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.waits: list[float] = []
        self.handled: dict[tuple[str, str], int] = {}
        self.versions: dict[tuple[str, str], int] = {}
        self.disorder = 0

    def note_published(self, event_id: str) -> None:
        """Note the commit of a command."""
        self.published[event_id] = time.perf_counter()

    def handler(self, consumer: str) -> Handle:
        """Return the handler of one consumer."""
        return Handle(self, consumer)


class Handle:
    """Stores the event's effect in the inbox row's transaction, and notes when that was committed."""

    def __init__(self, watch: Watch, consumer: str) -> None:
        self._watch = watch
        self._consumer = consumer

    async def __call__(self, event: Event, tx: Transaction) -> None:
        """Handle one event."""
        await tx.execute("INSERT INTO effect (consumer, event_id) VALUES ($1, $2)", self._consumer, event.id)
        key = (self._consumer, event.aggregate)
        if event.version <= self._watch.versions.get(key, 0):
            self._watch.disorder += 1
        self._watch.versions[key] = event.version
        tx.after_commit(lambda: self._note(event.id))

    def _note(self, event_id: str) -> None:
        watch = self._watch
        watch.waits.append((time.perf_counter() - watch.published[event_id]) * 1_000)
        key = (self._consumer, event_id)
        watch.handled[key] = watch.handled.get(key, 0) + 1


async def main() -> int:
    """Run and report."""
    seconds = 8 if quick() else 60
    report, watch = Report("events"), Watch()
    async with stack() as running:
        database = running.database
        await database.execute("CREATE TABLE effect (consumer text, event_id text, PRIMARY KEY (consumer, event_id))")
        floor, commits = await _floor(running.nats_url), await _commits(database)
        subjects = ["kefu.kit.*.conversations"]
        works = [asyncio.create_task(Relay(database, running.nats_url, consumers=CONSUMERS).run())]
        works += [
            asyncio.create_task(
                Consumer(database, running.nats_url, name=name, subjects=subjects, handler=watch.handler(name)).run()
            )
            for name in CONSUMERS
        ]
        await _warm(database, watch)
        began = time.process_time()
        await _publish(database, watch, seconds)
        busy = (time.process_time() - began) * 1_000_000 / (RATE * seconds)
        expected = len(watch.published) * len(CONSUMERS)
        await _until(watch, expected)
        stored = await database.fetchval("SELECT count(*) FROM effect")
        trimmed = await _drained(database)
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    note = f"{RATE}/s for {seconds} s, {len(CONSUMERS)} consumers, commit to committed effect"
    report.add("event to consumer p50", percentile(watch.waits, 0.5), "ms", floor=percentile(floor, 0.5), note=note)
    report.add("event to consumer p99", percentile(watch.waits, 0.99), "ms", at_most=100)
    report.add("event to consumer worst", max(watch.waits), "ms")
    report.add("bare JetStream publish to receipt p99", percentile(floor, 0.99), "ms", note="the floor: no database")
    report.add(
        "commit of one row p99", percentile(commits, 0.99), "ms", note="an effect takes one, after the command's"
    )
    report.add("CPU of this process per event", busy, "µs", note="command, relay and both consumers")
    report.add("lost", expected - stored, "events", at_most=0)
    report.add("handled twice", sum(n - 1 for n in watch.handled.values()), "events", at_most=0)
    report.add("out of order within an aggregate", watch.disorder, "events", at_most=0)
    report.add("left in the outbox afterwards", 0 if trimmed else 1, "", at_most=0)
    return 0 if report.finish() else 1


async def _floor(url: str) -> list[float]:
    """Measure a bare publish, acknowledged, until a plain subscriber has it: milliseconds."""
    waits: list[float] = []
    client = await nats.connect(url)
    jetstream = client.jetstream()
    await bus.ensure_stream(jetstream)
    subscription = await client.subscribe("kefu.floor")
    for _ in range(500):
        began = time.perf_counter()
        await jetstream.publish("kefu.floor", b"x" * 120)
        await subscription.next_msg(timeout=5)
        waits.append((time.perf_counter() - began) * 1_000)
    await client.close()
    return waits


async def _commits(database: Database) -> list[float]:
    """Measure a durable commit of one row: milliseconds. It shows how busy the disk is."""
    await database.execute("CREATE TABLE floor (n int)")
    waits: list[float] = []
    for number in range(500):
        began = time.perf_counter()
        await database.execute("INSERT INTO floor VALUES ($1)", number)
        waits.append((time.perf_counter() - began) * 1_000)
    return waits


async def _warm(database: Database, watch: Watch) -> None:
    """Wait until both consumers answer, and leave those first events out."""
    await _command(database, watch, 0, 0)
    await _until(watch, len(CONSUMERS))
    watch.waits.clear()


async def _publish(database: Database, watch: Watch, seconds: int) -> None:
    began = time.perf_counter()
    commands: set[asyncio.Task[None]] = set()
    for number in range(1, RATE * seconds + 1):
        ahead = began + number / RATE - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(_command(database, watch, number % AGGREGATES, number))
        commands.add(task)
        task.add_done_callback(commands.discard)
    await asyncio.gather(*commands)


async def _command(database: Database, watch: Watch, aggregate: int, number: int) -> None:
    """Do what a command does: one transaction with an event in it; an aggregate's commands follow one another."""
    event = Event(site="desk", aggregate=f"sites/desk/conversations/{aggregate}", version=number + 1)
    event.conversation_moved.CopyFrom(ConversationMoved(to_state="OPEN"))
    event.id = database.new_id()
    async with database.transaction() as tx:
        tx.publish(event)
        tx.after_commit(lambda: watch.note_published(event.id))


async def _until(watch: Watch, number: int) -> None:
    limit = time.perf_counter() + 30
    while len(watch.handled) < number and time.perf_counter() < limit:  # noqa: ASYNC110 - what is lost is reported
        await asyncio.sleep(0.02)


async def _drained(database: Database) -> bool:
    limit = time.perf_counter() + 10
    while time.perf_counter() < limit:
        if not await database.fetchval("SELECT EXISTS (SELECT FROM kefu_outbox)"):
            return True
        await asyncio.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
