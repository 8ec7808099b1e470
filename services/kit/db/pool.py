"""A last-in-first-out pool of asyncpg connections.

The connection used last has its prepared statements warm, and no reset query runs in between: both together are worth
a fifth of the throughput of short statements. Transactions use `SET LOCAL`, so there is nothing to reset; the pool
remembers what else a session was told (its scope), and tells it again only where the next taker wants something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import asyncpg

from services.kit.errors import ResourceExhausted

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_SECONDS = 3.0
# The scope of a new session: the statement that gives it back to one that was told another.
UNBOUND = "RESET ALL"


class Pool:
    """At most `size` connections, opened when needed; a broken one is dropped and replaced at the next use."""

    def __init__(self, dsn: str, *, size: int, settings: Mapping[str, str]) -> None:
        self.dsn = dsn
        self.size = size
        self._settings = dict(settings)
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._scopes: dict[Connection, str] = {}
        self._busy: set[Connection] = set()
        self._closed = False
        self.on_connect: Callable[[Connection], Awaitable[None]] | None = None

    @property
    def busy(self) -> int:
        """How many connections are in use."""
        return len(self._busy)

    async def take(self, within: float, *, scope: str | None = UNBOUND) -> Connection:
        """Return a connection of one's own; give it back with `release`.

        `scope` is the statement that makes its session what the taker needs; None where any session will do.
        Raises ResourceExhausted when none is free within `within` seconds, driver errors when PostgreSQL is away.
        """
        if self._free.locked():
            try:
                async with asyncio.timeout(within):
                    await self._free.acquire()
            except TimeoutError:
                raise ResourceExhausted from None
        else:
            await self._free.acquire()
        try:
            connection = await self._warm_or_new(within, scope)
        except BaseException:
            self._free.release()
            raise
        self._busy.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Give a connection back; one that is broken or stuck inside a transaction is closed instead."""
        self._busy.discard(connection)
        if not connection.is_closed() and (self._closed or connection.is_in_transaction()):
            connection.terminate()
        if connection.is_closed():
            self._scopes.pop(connection, None)
        else:
            self._idle.append(connection)
        self._free.release()

    async def close(self) -> None:
        """Close what is idle and cut what is still busy."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            try:
                await connection.close(timeout=CONNECT_SECONDS)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()
        for connection in list(self._busy):
            connection.terminate()

    async def connect(self, within: float = CONNECT_SECONDS) -> Connection:
        """Open a connection outside the pool (listeners, bulk work); the caller closes it."""
        connection: Connection = await asyncpg.connect(
            self.dsn,
            timeout=min(within, CONNECT_SECONDS),
            statement_cache_size=512,
            max_cached_statement_lifetime=0,
            server_settings=self._settings,
        )
        if self.on_connect is not None:
            await self.on_connect(connection)
        return connection

    async def _warm_or_new(self, within: float, scope: str | None) -> Connection:
        connection = self._warm(scope)
        if connection is None:
            connection = await self.connect(within)
            self._scopes[connection] = UNBOUND
        if scope is not None and not self._has(connection, scope):
            await self._tell(connection, scope, within)
        return connection

    def _warm(self, scope: str | None) -> Connection | None:
        """The connection used last among those that have the scope, else the one used last; None when none idles."""
        while self._idle:
            fitting = (place for place in range(len(self._idle) - 1, -1, -1) if self._has(self._idle[place], scope))
            connection = self._idle.pop(next(fitting, -1))
            if not connection.is_closed():
                return connection
            self._scopes.pop(connection, None)
        return None

    def _has(self, connection: Connection, scope: str | None) -> bool:
        return scope is None or self._scopes.get(connection) == scope

    async def _tell(self, connection: Connection, scope: str, within: float) -> None:
        # Unknown until it is done: a session that was told half is told again.
        self._scopes.pop(connection, None)
        try:
            await connection.execute(scope, timeout=within)
        except BaseException:
            connection.terminate()
            raise
        self._scopes[connection] = scope
