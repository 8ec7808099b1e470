"""What intake does besides answering: deadlines, routing, its outbox, what neighbours tell, queue figures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from services.intake.metrics import IntakeMetrics, QueueFigure, SiteFigure
from services.kit import audit
from services.kit.db import Connection, Database
from services.kit.errors import KefuError
from services.kit.inbox import Consumer, expire_inbox
from services.kit.relay import Relay
from services.kit.timers import Dispatcher
from services.kit.uow import expire_replies

TIDY_SECONDS: Final = 600.0
FIGURES_SECONDS: Final = 2.0
# One process at a time exposes the queues; the number only has to be ours alone.
_ADVISORY: Final = 0x696E7461
_QUEUES: Final = """
SELECT site, queue, count(*) AS waiting, extract(epoch FROM kefu_now() - min(queued_at))::float8 AS oldest
FROM conversations
WHERE state IN ('QUEUED', 'REOPENED') OR (state = 'HANDOFF_PENDING' AND assignee = '')
GROUP BY site, queue
"""
_SITES: Final = "SELECT site, customers_online, surge FROM site_states"


@dataclass(slots=True)
class Worker:
    """The background work of one process."""

    database: Database
    relay: Relay
    dispatcher: Dispatcher
    consumers: Sequence[Consumer]
    metrics: IntakeMetrics
    others: Sequence[Callable[[], Awaitable[None]]] = field(default_factory=tuple)

    async def run(self) -> None:
        """Work for ever; ends by cancellation. In virtual time the clock service relays and fires the timers itself."""
        async with asyncio.TaskGroup() as group:
            if self.database.virtual is None:
                group.create_task(self.relay.run(), name="relay")
                group.create_task(self.dispatcher.run(), name="timers")
            group.create_task(audit.keep_sealed(self.database), name="audit")
            group.create_task(self._keep_tidy(), name="tidy")
            group.create_task(self._figures(), name="figures")
            for consumer in self.consumers:
                group.create_task(consumer.run(), name=consumer.name)
            for other in self.others:
                group.create_task(_forever(other))

    async def _keep_tidy(self) -> None:
        while True:
            with contextlib.suppress(KefuError):  # the database is away: next time
                async with self.database.transaction() as tx:
                    await expire_replies(tx)
                    await expire_inbox(tx)
            await asyncio.sleep(TIDY_SECONDS)

    async def _figures(self) -> None:
        """Expose the queues from whichever worker holds the lock; it is lost with the connection."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, KefuError):
                connection = await self.database.pool.connect()
                try:
                    while True:
                        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _ADVISORY):
                            await self._expose(connection)
                        await asyncio.sleep(FIGURES_SECONDS)
                finally:
                    connection.terminate()
                    self.metrics.standing((), ())
            await asyncio.sleep(FIGURES_SECONDS)

    async def _expose(self, connection: Connection) -> None:
        while True:
            queues = [
                QueueFigure(row["site"], row["queue"], row["waiting"], row["oldest"])
                for row in await connection.fetch(_QUEUES)
            ]
            sites = [SiteFigure(*row) for row in await connection.fetch(_SITES)]
            self.metrics.standing(queues, sites)
            await asyncio.sleep(FIGURES_SECONDS)


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    await work()
