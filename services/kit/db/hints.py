"""Wake-ups: "there may be work". At once inside the process, by NOTIFY across processes. Never the truth, only a hint.

NOTIFY takes a lock over the whole database at commit, so it never goes into a command's transaction: hints are gathered
and sent on a connection of their own, at most one per channel every `EVERY` seconds. Whoever waits also polls.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable

import asyncpg

from services.kit.db.pool import Connection, Pool

EVERY = 0.02
RETRY_SECONDS = 0.5
ANSWER_SECONDS = 5.0


class Hints:
    """Hints between the parts of a service, named by channel; PostgreSQL channels carry the schema's name in front."""

    def __init__(self, pool: Pool, schema: str) -> None:
        self._pool = pool
        self._schema = schema
        self._waiting: dict[str, list[asyncio.Event]] = defaultdict(list)
        self._to_send: set[str] = set()
        self._something = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._remote = False

    def subscribe(self, channel: str) -> asyncio.Event:
        """Return an event that is set whenever there may be work; the waiter clears it."""
        event = asyncio.Event()
        self._waiting[channel].append(event)
        return event

    def unsubscribe(self, channel: str, event: asyncio.Event) -> None:
        """Forget a waiter."""
        self._waiting[channel].remove(event)

    def give(self, channel: str) -> None:
        """Wake the waiters of this process now, and those of other processes soon."""
        self._wake(channel)
        if self._remote:
            self._to_send.add(channel)
            self._something.set()

    def start(self) -> None:
        """Begin to exchange hints with other processes."""
        self._remote = True
        self._tasks = [asyncio.create_task(self._exchange(work)) for work in (self._send, self._listen)]

    async def stop(self) -> None:
        """End the exchange."""
        self._remote = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self, channel: str) -> None:
        for event in self._waiting[channel]:
            event.set()

    async def _exchange(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await self._pool.connect()
                try:
                    await work(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(RETRY_SECONDS)

    async def _send(self, connection: Connection) -> None:
        await connection.execute("SET synchronous_commit = off", timeout=ANSWER_SECONDS)  # a hint waits for no disk
        while True:
            await self._something.wait()
            await asyncio.sleep(EVERY)
            self._something.clear()
            channels, self._to_send = list(self._to_send), set()
            await connection.execute(
                "SELECT pg_notify($1, c) FROM unnest($2::text[]) c", self._schema, channels, timeout=ANSWER_SECONDS
            )

    async def _listen(self, connection: Connection) -> None:
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        await connection.add_listener(self._schema, lambda _c, _pid, _channel, payload: self._wake(str(payload)))
        await ended.wait()
