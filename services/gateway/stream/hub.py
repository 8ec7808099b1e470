"""Fan-out: one upstream subscription per site and process, however many listen.

A channel remembers its latest events. Who comes with a cursor that is among them gets the rest from memory; who comes
with an older one is caught up by a short subscription of their own and then joins, so that nothing is missed or seen
twice. A reader that is `QUEUE` events behind is dropped: it reconnects from its cursor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from services.gateway.stream.events import Item
from services.kit.errors import KefuError, ResourceExhausted, Unavailable

QUEUE: Final = 1_000
REMEMBERED: Final = 5_000
LINGER_SECONDS: Final = 30.0
_FIRST_RETRY_SECONDS: Final = 0.2
_LONGEST_RETRY_SECONDS: Final = 5.0
_log: Final = logging.getLogger("kefu.stream")

Open = Callable[[str], AsyncIterator[Item]]
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
        self._join(reader, cursor)
        try:
            if cursor and not self._replay(reader, cursor):
                async for item in self._catch_up(cursor):
                    yield item
            while True:
                yield await reader.next(within)
        finally:
            self._leave(reader)

    def _join(self, reader: Reader, cursor: str) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._task is None:
            self._cursor = cursor
            if cursor:
                self._remember(Item(cursor, b"", heartbeat=True))
            self._task = asyncio.create_task(self._pump(), name="stream upstream")
        self._readers.add(reader)

    def _replay(self, reader: Reader, cursor: str) -> bool:
        """Queue what came after the cursor from memory; False when the cursor is not remembered."""
        if cursor not in self._cursors:
            return False
        after = False
        for item in self._recent:
            if after and not item.heartbeat:
                reader.put(item)
            after = after or item.cursor == cursor
        return True

    async def _catch_up(self, cursor: str) -> AsyncIterator[Item]:
        """Events between the cursor and what the channel has from memory or sends from now on."""
        upstream = self._open(cursor)
        async for item in upstream:
            if item.heartbeat or item.cursor in self._cursors:
                # Heartbeats come when the upstream has no more; remembered events are in the reader's queue already.
                break
            yield item

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
        if not item.cursor:
            return
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
                    if not item.heartbeat:
                        self._remember(item)
                    for reader in self._readers:
                        reader.put(item)
            except (Unavailable, ResourceExhausted) as error:
                _log.warning("upstream stream broke", extra={"reason": error.reason_name})
            except KefuError as error:
                _log.error("upstream stream refused", extra={"reason": error.reason_name})
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_RETRY_SECONDS)


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
