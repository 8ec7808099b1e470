"""Fan-out: one upstream subscription per site and process, however many listen.

A channel remembers its latest events. Who comes with a cursor that is among them gets the rest from memory; who comes
with another one is caught up by a subscription of their own until it meets the channel's, so that nothing is missed or
seen twice. A reader that is `QUEUE` events behind is dropped: it reconnects from its cursor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from services.gateway.stream.events import Item
from services.kit.errors import InvalidArgument, ResourceExhausted, Unavailable

QUEUE: Final = 1_000
REMEMBERED: Final = 5_000
LINGER_SECONDS: Final = 30.0
_FIRST_RETRY_SECONDS: Final = 0.2
_LONGEST_RETRY_SECONDS: Final = 5.0
_log: Final = logging.getLogger("kefu.stream")

Open = Callable[[str], AsyncGenerator[Item]]
"""Opens an upstream subscription after a cursor ("" begins now)."""


class Reader:
    """One listener's queue."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self.dropped = False

    def put(self, item: Item) -> None:
        """Add an event; a heartbeat never waits behind another."""
        if item.heartbeat and self._items:
            return
        if len(self._items) >= QUEUE:
            self.dropped = True
        else:
            self._items.append(item)
        self._news.set()

    def clear(self) -> None:
        """Forget what is queued: it is about to be queued again in full."""
        self._items.clear()

    async def next(self, within: float) -> Item | None:
        """The next event, None when there was none for `within` seconds. Raises ResourceExhausted once dropped."""
        if not self._items and not self.dropped:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), within)
        if self.dropped:
            raise ResourceExhausted(retry_after=1.0)
        return self._items.popleft() if self._items else None


class Channel:
    """The upstream subscription of one site and method."""

    def __init__(self, open_upstream: Open, on_empty: Callable[[], None]) -> None:
        self._open = open_upstream
        self._on_empty = on_empty
        self._readers: set[Reader] = set()
        self._recent: deque[Item] = deque(maxlen=REMEMBERED)
        self._cursors: set[str] = set()
        self._cursor = ""
        self._task: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None

    async def listen(self, cursor: str, within: float) -> AsyncIterator[Item | None]:
        """Events after `cursor` ("" begins now); None when nothing came for `within` seconds."""
        reader = Reader()
        self._join(reader)
        try:
            if cursor and not self._replay(reader, cursor):
                async for item in self._catch_up(reader, cursor, within):
                    yield item
            while True:
                yield await reader.next(within)
        finally:
            self._leave(reader)

    def _join(self, reader: Reader) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._task is None:
            self._task = asyncio.create_task(self._pump(), name="stream upstream")
        self._readers.add(reader)

    def _replay(self, reader: Reader, cursor: str) -> bool:
        """Queue what came after the cursor from memory; False when the cursor is not remembered."""
        if cursor not in self._cursors:
            return False
        reader.clear()
        after = False
        for item in self._recent:
            if after:
                reader.put(item)
            after = after or item.cursor == cursor
        return True

    async def _catch_up(self, reader: Reader, cursor: str, within: float) -> AsyncIterator[Item | None]:
        """Events by a subscription of the reader's own, until one comes that the channel remembers: from there on the
        channel has everything, and what it has is queued."""
        async for item in with_pauses(self._open(cursor), within):
            yield item
            if item is not None and not item.heartbeat and self._replay(reader, item.cursor):
                return

    def _leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if not self._readers and self._task is not None and self._lingering is None:
            # A page that is loaded anew comes back at once.
            self._lingering = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        if not self._readers:
            self.close()
            self._on_empty()

    def close(self) -> None:
        """Stop the upstream subscription."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _remember(self, item: Item) -> None:
        if len(self._recent) == REMEMBERED:
            self._cursors.discard(self._recent[0].cursor)
        self._recent.append(item)
        self._cursors.add(item.cursor)

    async def _pump(self) -> None:
        """Read upstream for ever; after a break go on from the last cursor."""
        wait = _FIRST_RETRY_SECONDS
        while True:
            try:
                async for item in self._open(self._cursor):
                    wait = _FIRST_RETRY_SECONDS
                    self._cursor = item.cursor or self._cursor
                    if item.cursor and not item.heartbeat:
                        self._remember(item)
                    for reader in self._readers:
                        reader.put(item)
            except (Unavailable, ResourceExhausted) as error:
                _log.warning("upstream stream broke", extra={"reason": error.reason_name})
            except InvalidArgument:
                self._cursor = ""  # the stream no longer keeps what we had: go on from now
                _log.error("upstream cursor refused")
            except Exception:
                _log.exception("upstream stream failed")
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_RETRY_SECONDS)


async def with_pauses(
    items: AsyncGenerator[Item], seconds: float, *, first: asyncio.Future[Item] | None = None
) -> AsyncIterator[Item | None]:
    """The items, with None after every `seconds` without one; `first` is a read of `items` that was begun already."""
    waiting = first or asyncio.ensure_future(anext(items))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                yield None
                continue
            try:
                yield waiting.result()
            except StopAsyncIteration:
                return
            waiting = asyncio.ensure_future(anext(items))
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await items.aclose()


class Hub:
    """The channels of a process."""

    def __init__(self) -> None:
        self._channels: dict[tuple[str, str], Channel] = {}

    def channel(self, method: str, name: str, open_upstream: Open) -> Channel:
        """The channel of a method and resource, opened when it is new."""
        key = (method, name)
        if key not in self._channels:
            self._channels[key] = Channel(open_upstream, lambda: self._forget(key))
        return self._channels[key]

    def _forget(self, key: tuple[str, str]) -> None:
        self._channels.pop(key, None)

    def __len__(self) -> int:
        return len(self._channels)

    def close(self) -> None:
        """Stop everything."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
