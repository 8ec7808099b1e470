"""What qa does besides answering: its outbox, what neighbours tell, deadlines and recurring jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.kit import audit
from services.kit.db import Database
from services.kit.errors import KefuError
from services.kit.figures import Figures
from services.kit.inbox import Consumer
from services.kit.relay import Relay
from services.kit.schedules import Scheduler
from services.kit.timers import Dispatcher
from services.qa.metrics import QaMetrics
from services.qa.store import recordings

# Durable consumers that must have had an event before the outbox forgets it.
CONSUMERS: Final = ("crm-erasure",)
MISSING_SECONDS: Final = 30.0


@dataclass(slots=True)
class Worker:
    """The background work of qa; its relay and dispatcher also serve a stack in virtual time."""

    database: Database
    figures: Figures
    relay: Relay
    scheduler: Scheduler
    dispatcher: Dispatcher
    consumers: Sequence[Consumer]
    metrics: QaMetrics

    async def run(self) -> None:
        """Work for ever; ends by cancellation. In virtual time the clock service relays and fires the timers itself."""
        await self.scheduler.start(self.database)
        async with asyncio.TaskGroup() as group:
            group.create_task(audit.keep_sealed(self.database), name="audit")
            group.create_task(self.figures.keep(), name="backlog")
            group.create_task(self._keep_missing(), name="missing")
            for consumer in self.consumers:
                group.create_task(consumer.run(), name=consumer.name)
            if self.database.virtual is None:
                group.create_task(self.relay.run(), name="relay")
                group.create_task(self.dispatcher.run(), name="timers")

    async def _keep_missing(self) -> None:
        while True:
            with contextlib.suppress(KefuError):  # the database is away: the last figures stand
                self.metrics.missing(await recordings.missing(self.database))
            await asyncio.sleep(MISSING_SECONDS)
