"""What staffing does besides answering: its outbox into the stream, timers, schedules, the audit chain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.kit import audit, schedules
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.relay import Relay
from services.kit.schedules import Scheduler
from services.kit.timers import Dispatcher

# Durable consumers that must have had an event before the outbox forgets it.
CONSUMERS = ("intake-people", "qa-people", "qa-presence")


class Worker:
    """The background work of staffing; its relay and dispatcher also serve a stack in virtual time."""

    def __init__(self, database: Database, nats_url: str, figures: Figures, *, absent: Sequence[str] = ()) -> None:
        self._database = database
        self._figures = figures
        self._scheduler = Scheduler(schedules.housekeeping())
        self.relay = Relay(database, nats_url, consumers=CONSUMERS, absent=absent, progress=figures.consumers)
        self.dispatcher = Dispatcher(database, {schedules.OWNER_KIND: self._scheduler.fire}, fired=figures.fired)

    async def run(self) -> None:
        """Work for ever; ends by cancellation. In virtual time the clock service relays and fires the timers itself."""
        await self._scheduler.start(self._database)
        async with asyncio.TaskGroup() as group:
            group.create_task(audit.keep_sealed(self._database), name="audit")
            group.create_task(self._figures.keep(), name="backlog")
            if self._database.virtual is None:
                group.create_task(self.relay.run(), name="relay")
                group.create_task(self.dispatcher.run(), name="timers")
