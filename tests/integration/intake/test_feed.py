"""The feed when the event bus goes away and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nats
from kefu.events.v1.event_pb2 import Event

from services.intake.queries.feed import Feed, Item
from services.kit import bus
from services.kit.embedded import EmbeddedNats

SITE = "online-desk"
NAME = f"sites/{SITE}/conversations/c"


async def publish(url: str, number: int) -> None:
    client = await nats.connect(url, allow_reconnect=False)
    try:
        event = Event(id=str(number), site=SITE, aggregate=NAME, version=number)
        await client.jetstream().publish(f"kefu.intake.{SITE}.conversations", event.SerializeToString())
    finally:
        await client.close()


async def test_watchers_miss_nothing_over_a_restart_of_the_bus(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats")
    server.start()
    feed = Feed(server.url)
    reading = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(30):
            await feed.ready()
            items = feed.watch(SITE, None, heartbeat=0.05)
            assert (await anext(items)).event is None
            await publish(server.url, 1)
            with feed.woken_by(NAME) as wake:
                seen = await first(items, 1)
                wake.clear()
                await asyncio.to_thread(server.stop, immediate=True)
                await asyncio.to_thread(server.start)
                await publish(server.url, 2)
                seen += await first(items, 1)
                assert wake.is_set()
            await items.aclose()
        assert seen == [(1, 1), (2, 2)]
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await asyncio.to_thread(server.stop, immediate=True)


async def test_a_stream_that_was_made_anew_is_read_from_its_end(tmp_path: Path) -> None:
    """Sequences begin anew then; an old cursor must not stop the feed."""
    server = EmbeddedNats(tmp_path / "nats")
    server.start()
    feed = Feed(server.url)
    reading = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(30):
            await feed.ready()
            items = feed.watch(SITE, None, heartbeat=0.05)
            assert (await anext(items)).event is None
            for number in (1, 2, 3):
                await publish(server.url, number)
            assert await first(items, 3) == [(1, 1), (2, 2), (3, 3)]
            async with bus.connected(server.url, "test") as link:
                await link.jetstream.delete_stream(bus.STREAM)
                await bus.ensure_stream(link.jetstream)
            while feed.position:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)
            await publish(server.url, 4)
            assert await first(items, 1) == [(1, 4)]
            await items.aclose()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await asyncio.to_thread(server.stop, immediate=True)


async def first(items: AsyncIterator[Item], count: int) -> list[tuple[int, int]]:
    """The next items, as (place in the stream, version of the aggregate)."""
    got: list[tuple[int, int]] = []
    while len(got) < count:
        item = await anext(items)
        if item.event is not None:
            got.append((item.sequence, item.event.version))
    return got
