"""What qa does besides answering: its outbox, what neighbours tell, deadlines and recurring jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.kit import audit
from services.kit.db import Database, Transaction
from services.kit.errors import KefuError
from services.kit.figures import Figures
from services.kit.inbox import Consumer
from services.kit.relay import Relay
from services.kit.schedules import Schedule, Scheduler
from services.kit.timers import Dispatcher
from services.policy.desk import SiteProfiles
from services.qa.commands.draws import ACTOR, Draws
from services.qa.commands.retention import Retention
from services.qa.commands.reviews import Reviews
from services.qa.metrics import QaMetrics
from services.qa.store import recordings

# Durable consumers that must have had an event before the outbox forgets it.
CONSUMERS: Final = ("crm-erasure",)
MISSING_SECONDS: Final = 30.0


class Jobs:
    """The recurring jobs."""

    def __init__(
        self, database: Database, draws: Draws, reviews: Reviews, retention: Retention, profiles: SiteProfiles
    ) -> None:
        self._database = database
        self._draws = draws
        self._reviews = reviews
        self._retention = retention
        self._profiles = profiles

    @property
    def schedules(self) -> list[Schedule]:
        """Hourly: seeds are committed to, weeks that are over drawn, reviews assigned; what is over its time goes."""
        return [
            Schedule("qa.draws", "FREQ=HOURLY;BYMINUTE=7;BYSECOND=0", self._draw),
            Schedule("qa.retention", "FREQ=HOURLY;BYMINUTE=37;BYSECOND=0", self._retention.sweep),
        ]

    async def _draw(self, _period: datetime, tx: Transaction) -> None:
        for profile in self._profiles.in_force(tx.now):
            async with self._database.transaction(sites=[profile.site]) as own:
                await self._draws.commit(own, profile)
            while await self._draws.week(profile, tx.now) is not None:
                await tx.execute("SELECT 1")  # the scheduler's transaction must not be taken for an abandoned one
            async with self._database.transaction(sites=[profile.site]) as own:
                await self._reviews.assign_drawn(own, profile, actor=ACTOR)


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
    profiles: SiteProfiles

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
                sites = [profile.site for profile in self.profiles.in_force(self.database.clock.now())]
                self.metrics.missing(sites, await recordings.missing(self.database))
            await asyncio.sleep(MISSING_SECONDS)
