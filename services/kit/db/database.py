"""The service's database: pool, clock, hints and transactions in one place."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from services.kit import audit, call, outbox
from services.kit.clock import Clock, DatabaseClock, VirtualClock
from services.kit.db.faults import translated
from services.kit.db.hints import Hints
from services.kit.db.pool import UNBOUND, Connection, Pool
from services.kit.db.transaction import Reading, Transaction
from services.kit.ids import Ids, IdSource

ANSWER_SECONDS = 10.0
ROLLBACK_SECONDS = 2.0
RESYNC_SECONDS = 30.0
ALL_SITES = "*"


class Database:
    """One service's schema, on which statements take at most what the current call has left."""

    def __init__(
        self,
        dsn: str,
        service: str,
        *,
        size: int = 12,
        new_id: IdSource | None = None,
    ) -> None:
        settings = {"search_path": service, "application_name": f"kefu-{service}", "timezone": "UTC"}
        settings |= {"kefu.sites": ALL_SITES, "idle_in_transaction_session_timeout": "60s"}
        self.service = service
        self.pool = Pool(dsn, size=size, settings=settings)
        self.hints = Hints(self.pool, service)
        self.new_id = new_id or Ids()
        self.clock: Clock = DatabaseClock()
        self.observe: Callable[[float], None] | None = None
        self._resync: asyncio.Task[None] | None = None

    @property
    def virtual(self) -> VirtualClock | None:
        """The clock of a stack in virtual time, None in any other stack."""
        return self.clock if isinstance(self.clock, VirtualClock) else None

    async def open(self, *, hints: bool = True) -> None:
        """Connect, learn what time it is, and begin to exchange hints. Raises Unavailable when PostgreSQL is away."""
        with translated():
            connection = await self.pool.take(ANSWER_SECONDS)
            try:
                await self._learn_time(connection)
            finally:
                self.pool.release(connection)
        self._resync = asyncio.create_task(self._keep_time())
        if hints:
            self.hints.start()

    async def close(self) -> None:
        """Stop background work and close all connections."""
        if self._resync is not None:
            self._resync.cancel()
            await asyncio.gather(self._resync, return_exceptions=True)
        await self.hints.stop()
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, sites: Sequence[str] | None = None, read_only: bool = False, durable: bool = True
    ) -> AsyncIterator[Transaction]:
        """Open a transaction; commit at the end of the block, roll back on any exception.

        `sites` limits what row-level security shows to those sites; it travels with BEGIN and costs no round trip.
        `durable=False` does not wait for the disk: only for what may be done again after a power cut.
        Raises Unavailable, Aborted, DeadlineExceeded or ResourceExhausted for the database's own failures.
        """
        began = time.perf_counter()
        async with self._connection(None) as connection:
            await connection.execute(_begin(sites, read_only=read_only, durable=durable), timeout=_seconds())
            try:
                now = await self._begin_time(connection)
                tx = Transaction(connection, now=now, service=self.service, seconds=_seconds)
                yield tx
                await self._flush(tx)
                await connection.execute("COMMIT", timeout=_seconds())
            except BaseException:
                await _roll_back(connection)
                raise
        if self.observe is not None:
            self.observe(time.perf_counter() - began)
        tx.committed()
        for channel in tx.hints:
            self.hints.give(channel)

    @contextlib.asynccontextmanager
    async def reading(self, *, sites: Sequence[str], plan_each: bool = False) -> AsyncIterator[Reading]:
        """Open a reading: row-level security shows those sites, and what is not a SELECT fails.

        Each statement stands by itself and sees what is committed when it begins, as in a transaction (READ COMMITTED);
        without BEGIN and COMMIT it costs one round trip instead of three. `plan_each` plans for the very arguments,
        where no one plan suits all. Raises as `transaction` does.
        """
        began = time.perf_counter()
        async with self._connection(_only(sites, plan_each=plan_each)) as connection:
            yield Reading(connection, now=await self._begin_time(connection), seconds=_seconds)
        if self.observe is not None:
            self.observe(time.perf_counter() - began)

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement in its own transaction and return its rows."""
        async with self._connection() as connection:
            return await connection.fetch(query, *arguments, timeout=_seconds())

    async def fetchrow(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """Run one statement in its own transaction and return its first row, or None."""
        async with self._connection() as connection:
            return await connection.fetchrow(query, *arguments, timeout=_seconds())

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """Run one statement in its own transaction and return its first value, or None."""
        async with self._connection() as connection:
            return await connection.fetchval(query, *arguments, timeout=_seconds())

    async def execute(self, query: str, *arguments: Any) -> str:
        """Run one statement in its own transaction and return its command tag."""
        async with self._connection() as connection:
            return await connection.execute(query, *arguments, timeout=_seconds())

    @contextlib.asynccontextmanager
    async def _connection(self, scope: str | None = UNBOUND) -> AsyncIterator[Connection]:
        with translated():
            connection = await self.pool.take(_seconds(), scope=scope)
            try:
                yield connection
            except asyncpg.InternalClientError:
                connection.terminate()
                raise
            finally:
                self.pool.release(connection)

    async def _flush(self, tx: Transaction) -> None:
        if tx.events:
            await outbox.insert(tx, tx.events, new_id=self.new_id)
            tx.hint(outbox.CHANNEL)
        if tx.entries:
            await audit.append(tx, tx.entries)

    async def _begin_time(self, connection: Connection) -> datetime:
        if isinstance(self.clock, VirtualClock):  # another process of the stack may have moved the row
            self.clock.move(await connection.fetchval("SELECT kefu_now()", timeout=_seconds()))
        return self.clock.now()

    async def _learn_time(self, connection: Connection) -> None:
        start = None
        if await connection.fetchval("SELECT to_regclass('kefu_virtual_clock') IS NOT NULL"):
            start = await connection.fetchval("SELECT at FROM kefu_virtual_clock")
        if start is not None:
            if not isinstance(self.clock, VirtualClock):
                self.clock = VirtualClock(start)
            self.clock.move(start)
            return
        if isinstance(self.clock, DatabaseClock):
            readings = [await _read_clock(connection) for _ in range(3)]
            reading, asked, answered = min(readings, key=lambda one: one[2] - one[1])
            self.clock.observe(reading, asked=asked, answered=answered)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            with contextlib.suppress(Exception):  # the database is away: the clock runs on by itself
                async with self._connection() as connection:
                    await self._learn_time(connection)


def _seconds() -> float:
    """Return how long a statement may take: what the current call has left, at most `ANSWER_SECONDS`."""
    current = call.maybe()
    return ANSWER_SECONDS if current is None else current.deadline.within(ANSWER_SECONDS, 0.0)


def _begin(sites: Sequence[str] | None, *, read_only: bool, durable: bool) -> str:
    # All of it is said each time: the session may be one that a reading was the last to use.
    mode, shown = "READ ONLY" if read_only else "READ WRITE", [ALL_SITES] if sites is None else sites
    begin = f"BEGIN {mode}; SET LOCAL kefu.sites = {_quoted(shown)}"
    return begin if durable else f"{begin}; SET LOCAL synchronous_commit = off"


def _only(sites: Sequence[str], *, plan_each: bool) -> str:
    told = f"{UNBOUND}; SET default_transaction_read_only = on; SET kefu.sites = {_quoted(sites)}"
    return f"{told}; SET plan_cache_mode = force_custom_plan" if plan_each else told


def _quoted(sites: Sequence[str]) -> str:
    return "'" + ",".join(sites).replace("'", "''") + "'"


async def _roll_back(connection: Connection) -> None:
    if connection.is_closed():
        return
    try:
        await connection.execute("ROLLBACK", timeout=ROLLBACK_SECONDS)
    except BaseException as error:
        connection.terminate()
        if not isinstance(error, Exception):  # cancelled meanwhile; a mere failure must not hide the first one
            raise


async def _read_clock(connection: Connection) -> tuple[datetime, float, float]:
    asked = time.monotonic()
    reading = await connection.fetchval("SELECT clock_timestamp()")
    return reading, asked, time.monotonic()
