"""What happens now: one reader of the event stream per process, fanned out to every open Watch.

A watcher costs a place in a set and a queue, not a query loop. Cursors are sequences of the stream and mean the same in
every replica; recent events are remembered, so that reconnecting browsers are served without asking the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import NamedTuple

from kefu.events.v1.event_pb2 import Event
from nats.js import api

from services.kit import bus
from services.kit.bus import Link
from services.kit.errors import ResourceExhausted
from services.kit.pull import Pull, sequence_of

REMEMBERED = 10_000
BACKLOG = 1_000
BATCH = 500
RETRY_AFTER_SECONDS = 1.0
# Long enough for a reader whose server fell silent to notice it, short enough to leave nothing behind.
IDLE_CONSUMER_SECONDS = 60.0


class Item(NamedTuple):
    """An event with its place in the stream. Without one, silence: nothing was there for this watcher up to `sequence`;
    or a gap: what came before `sequence` is no longer kept."""

    sequence: int
    event: Event | None = None
    gap: bool = False


class _Kept(NamedTuple):
    """A remembered event, as it came: thousands of parsed ones cost more to keep than one to parse."""

    sequence: int
    site: str
    data: bytes

    def item(self) -> Item:
        return Item(self.sequence, Event.FromString(self.data))


class Subscription:
    """One watcher's queue: of everything, or of facts of some kinds."""

    def __init__(self, kinds: frozenset[str] = frozenset()) -> None:
        self._kinds = kinds
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._overrun = False

    def put(self, item: Item) -> None:
        """Add an item that the watcher wants, unless they are too far behind already."""
        if not self.wants(item):
            return
        if len(self._items) >= BACKLOG:
            self._overrun = True
        else:
            self._items.append(item)
        self._news.set()

    def wants(self, item: Item) -> bool:
        """Say whether an item is for this watcher."""
        return not self._kinds or item.event is None or item.event.WhichOneof("fact") in self._kinds

    async def next(self, within: float) -> Item | None:
        """Return the next item, None when nothing came `within` seconds.

        Raises ResourceExhausted when the watcher reads more slowly than things happen: it reconnects from its cursor.
        """
        if not self._items and not self._overrun:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._news.wait()
        if self._items:
            return self._items.popleft()
        if self._overrun:
            raise ResourceExhausted(metadata={"cause": "slow reader"}, retry_after=RETRY_AFTER_SECONDS)
        return None


class Feed:
    """Reads the stream once and tells whoever watches. `run` it beside the server.

    It begins with the first watcher: a process that nobody watches (a worker) pays nothing for what happens.
    """

    def __init__(self, url: str, *, name: str = "intake-feed", remembered: int = REMEMBERED) -> None:
        self._url = url
        self._name = name
        self._recent: deque[_Kept] = deque(maxlen=remembered)
        self._sites: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._wakes: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._wanted = asyncio.Event()
        self._read = asyncio.Event()
        self.position = 0

    async def run(self) -> None:
        """Read for ever; ends by cancellation. While NATS is away nothing is told, and nothing is lost."""
        await self._wanted.wait()
        await bus.for_ever(self._url, self._name, self._work)

    async def ready(self) -> int:
        """Wait until the feed knows where the stream stands, and return the sequence up to which it has read."""
        self._wanted.set()
        await self._read.wait()
        return self.position

    @contextlib.contextmanager
    def woken_by(self, aggregate: str) -> Iterator[asyncio.Event]:
        """Give an asyncio.Event that is set whenever something happens to the aggregate (a resource name).

        It is also set once the feed begins to read: what happened before is for the waiter to look up.
        """
        self._wanted.set()
        wake = asyncio.Event()
        self._wakes[aggregate].add(wake)
        try:
            yield wake
        finally:
            self._wakes[aggregate].discard(wake)
            if not self._wakes[aggregate]:
                del self._wakes[aggregate]

    async def watch(
        self, site: str, after: int | None, kinds: frozenset[str] = frozenset(), *, heartbeat: float
    ) -> AsyncGenerator[Item, None]:
        """Yield the site's events of `kinds` (empty: of all) after the sequence `after` (None: from now on).

        After each `heartbeat` seconds without one comes an item that says how far the feed is. The first item is a gap
        when the stream no longer has all of them. Raises ResourceExhausted for a slow reader.
        """
        subscription = Subscription(kinds)
        self._sites[site].add(subscription)
        start = self.position
        try:
            if after is not None and after < start:
                async for item in self._missed(site, after, start):
                    if subscription.wants(item):
                        yield item
            while True:
                yield await subscription.next(heartbeat) or Item(max(self.position, after or 0))
        finally:
            self._sites[site].discard(subscription)
            if not self._sites[site]:
                del self._sites[site]

    async def _missed(self, site: str, after: int, until: int) -> AsyncIterator[Item]:
        recent = [kept for kept in self._recent if after < kept.sequence <= until]
        oldest = self._recent[0].sequence if self._recent else until + 1
        if after + 1 < oldest:
            async with bus.connected(self._url, f"{self._name}-resume") as link:
                async for item in _stored(link, site, after, min(until, oldest - 1)):
                    yield item
        for kept in recent:
            if kept.site == site:
                yield kept.item()

    async def _work(self, link: Link) -> None:
        await bus.ensure_stream(link.jetstream)
        state = (await link.jetstream.stream_info(bus.STREAM)).state
        if not self._read.is_set() or state.last_seq < self.position:  # the first time, or another stream than before
            self._recent.clear()
            self.position = state.last_seq
        self._wake_everybody()
        self._read.set()
        pull = await _reader(link, bus.SUBJECTS, self.position)
        while True:
            for message in await pull.next():
                self._tell(_Kept(sequence_of(message), message.subject.split(".")[2], message.data))

    def _tell(self, kept: _Kept) -> None:
        self.position = kept.sequence
        self._recent.append(kept)
        watchers = self._sites.get(kept.site)
        if not watchers and not self._wakes:
            return
        item = kept.item()
        assert item.event is not None
        for subscription in watchers or ():
            subscription.put(item)
        for wake in self._wakes.get(item.event.aggregate, ()):
            wake.set()

    def _wake_everybody(self) -> None:
        """After a break: those who wait for one aggregate look for themselves."""
        for wakes in self._wakes.values():
            for wake in wakes:
                wake.set()


async def _stored(link: Link, site: str, after: int, until: int) -> AsyncIterator[Item]:
    """Yield what the stream has kept of a site, with a gap in front when its beginning is gone."""
    state = (await link.jetstream.stream_info(bus.STREAM)).state
    if state.first_seq > after + 1:
        yield Item(state.first_seq - 1, gap=True)
    info = await _consumer(link, f"kefu.*.{site}.*", after)
    waiting = info.num_pending or 0
    pull = Pull(link, str(info.name), batch=BATCH)
    if waiting:
        await pull.start()
    while waiting:
        for message in await pull.next():
            waiting -= 1
            sequence = sequence_of(message)
            if sequence > until:
                return
            yield Item(sequence, Event.FromString(message.data))


async def _reader(link: Link, subject: str, after: int) -> Pull:
    info = await _consumer(link, subject, after)
    pull = Pull(link, str(info.name), batch=BATCH)
    await pull.start()
    return pull


async def _consumer(link: Link, subject: str, after: int) -> api.ConsumerInfo:
    return await link.jetstream.add_consumer(
        bus.STREAM,
        api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=api.AckPolicy.NONE,
            filter_subject=subject,
            inactive_threshold=IDLE_CONSUMER_SECONDS,
            mem_storage=True,
        ),
    )
