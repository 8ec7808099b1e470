"""Fan-out: shared upstream, catching up, slow readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from services.gateway.stream import hub as hubs
from services.gateway.stream.events import Item
from services.gateway.stream.hub import Channel, Hub, Reader
from services.kit.errors import ResourceExhausted, Unavailable
from services.kit.testing.polling import eventually


class Upstream:
    """A log of events that any number of subscriptions follow."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.opened: list[str] = []
        self.running = 0
        self.broken = False
        self._news = asyncio.Condition()

    async def add(self, *cursors: str) -> None:
        async with self._news:
            self.log.extend(cursors)
            self._news.notify_all()

    async def breaks(self) -> None:
        async with self._news:
            self.broken = True
            self._news.notify_all()

    async def open(self, cursor: str) -> AsyncGenerator[Item]:
        self.opened.append(cursor)
        self.running += 1
        place = self.log.index(cursor) + 1 if cursor else len(self.log)
        try:
            while True:
                async with self._news:
                    while not self.broken and len(self.log) <= place:
                        await self._news.wait()
                if self.broken:
                    self.broken = False
                    raise Unavailable
                while place < len(self.log):
                    place += 1
                    yield item(self.log[place - 1])
        finally:
            self.running -= 1


def item(cursor: str) -> Item:
    return Item(cursor, cursor.encode(), heartbeat=False)


class Listener:
    def __init__(self, channel: Channel, cursor: str = "") -> None:
        self.got: list[str] = []
        self.task = asyncio.create_task(self._read(channel, cursor))

    async def _read(self, channel: Channel, cursor: str) -> None:
        async for one in channel.listen(cursor, 60):
            if one is not None:
                self.got.append(one.cursor)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


async def test_many_listeners_one_subscription(upstream: Upstream) -> None:
    channel = Hub().channel("m", "s", upstream.open)
    listeners = [Listener(channel) for _ in range(50)]
    await eventually(lambda: upstream.running == 1)
    await upstream.add("1", "2")
    await eventually(lambda: all(one.got == ["1", "2"] for one in listeners))
    assert upstream.opened == [""]
    for one in listeners:
        await one.stop()
    channel.close()


async def test_a_known_cursor_is_served_from_memory(upstream: Upstream) -> None:
    channel = Hub().channel("m", "s", upstream.open)
    first = Listener(channel)
    await eventually(lambda: upstream.running == 1)
    await upstream.add("1", "2", "3")
    await eventually(lambda: len(first.got) == 3)
    late = Listener(channel, "1")
    await upstream.add("4")
    await eventually(lambda: late.got == ["2", "3", "4"])
    assert upstream.opened == [""]
    for one in (first, late):
        await one.stop()
    channel.close()


async def test_an_older_cursor_catches_up_by_itself_and_joins(upstream: Upstream) -> None:
    await upstream.add("1", "2", "3", "4")
    channel = Hub().channel("m", "s", upstream.open)
    first = Listener(channel, "3")
    await eventually(lambda: first.got == ["4"])
    old = Listener(channel, "1")
    fresh = Listener(channel)
    await eventually(lambda: upstream.opened == ["", "3", "1"])
    await eventually(lambda: old.got == ["2", "3", "4"])

    async def joined() -> bool:
        # Each event is a chance to meet; whoever of the two subscriptions is first is up to the loop.
        await upstream.add(str(int(upstream.log[-1]) + 1))
        return upstream.running == 1

    await eventually(joined)
    await eventually(lambda: old.got == upstream.log[1:] and first.got == upstream.log[3:])
    assert fresh.got == upstream.log[4:]
    await fresh.stop()
    for one in (first, old):
        await one.stop()
    channel.close()


async def test_after_a_break_it_goes_on_from_the_last_cursor(upstream: Upstream) -> None:
    channel = Hub().channel("m", "s", upstream.open)
    one = Listener(channel)
    await eventually(lambda: upstream.running == 1)
    await upstream.add("1")
    await eventually(lambda: one.got == ["1"])
    await upstream.breaks()
    await upstream.add("2")
    await eventually(lambda: one.got == ["1", "2"])
    assert upstream.opened == ["", "1"]
    await one.stop()
    channel.close()


async def test_the_subscription_ends_a_while_after_the_last_listener(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LINGER_SECONDS", 0.0)
    hub = Hub()
    one = Listener(hub.channel("m", "s", upstream.open))
    await eventually(lambda: upstream.running == 1)
    await one.stop()
    await eventually(lambda: upstream.running == 0 and len(hub) == 0)


async def test_a_slow_reader_is_dropped_and_nobody_else() -> None:
    slow = Reader()
    for number in range(hubs.QUEUE + 1):
        slow.put(item(str(number)))
    with pytest.raises(ResourceExhausted):
        await slow.next(1)


async def test_heartbeats_do_not_pile_up() -> None:
    reader = Reader()
    for number in range(hubs.QUEUE * 2):
        reader.put(Item(str(number), b"", heartbeat=True))
    first = await reader.next(1)
    assert first is not None
    assert first.cursor == "0"
    assert await reader.next(0.001) is None
