"""The bridge between Flask's threads and the kit's asyncio: one event loop in a thread of its own, with the database.

Threads hand coroutines over with `Runtime.run`; everything that awaits lives on that loop, so that the gateway uses the
same database, audit and crypto code as every service.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar, TypeVarTuple

from anyio.from_thread import BlockingPortal, start_blocking_portal

from services.gateway.config import GatewayConfig
from services.kit.db import Database

R = TypeVar("R")
A = TypeVarTuple("A")


class Runtime:
    """Owns the loop and the database. Opened at the first use, so that a process that forks first shares nothing."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._stack = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The gateway's database; for use on the loop only."""
        if self._database is None:
            raise RuntimeError("the runtime is not open")
        return self._database

    def open(self) -> None:
        """Start the loop and connect. Raises Unavailable when PostgreSQL is away."""
        if self._portal is not None:
            return
        portal = self._stack.enter_context(start_blocking_portal(backend_options={"use_uvloop": True}))
        self._portal = portal
        try:
            self._database = portal.call(self._connect)
        except BaseException:
            self._portal = None
            self._stack.close()
            raise

    async def _connect(self) -> Database:
        database = Database(self._config.database, "gateway", size=self._config.database_connections)
        await database.open(hints=False)
        return database

    def run(self, work: Callable[[*A], Awaitable[R]], *arguments: *A) -> R:
        """Run `work(*arguments)` on the loop and return what it returns, or raise what it raises."""
        if self._portal is None:
            raise RuntimeError("the runtime is not open")
        return self._portal.call(work, *arguments)

    def start_task(self, work: Callable[[*A], Awaitable[R]], *arguments: *A) -> Future[R]:
        """Run `work` in the background; returns a future that can be cancelled."""
        if self._portal is None:
            raise RuntimeError("the runtime is not open")
        return self._portal.start_task_soon(work, *arguments)

    def close(self) -> None:
        """Close the database and end the loop."""
        if self._portal is not None:
            if self._database is not None:
                self._portal.call(self._database.close)
            self._portal = None
            self._stack.close()
