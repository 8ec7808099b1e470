"""What crm does besides answering: its outbox, what neighbours tell, and the jobs that time calls for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.crm.commands.ledger import Ledger
from services.crm.commands.relations import Relations
from services.crm.commands.surveys import Surveys
from services.crm.commands.tiers import Tiers, recompute
from services.crm.metrics import CrmMetrics
from services.crm.profiles import SiteProfiles
from services.crm.store import coupons, customers
from services.crm.store import points as store
from services.kit import audit
from services.kit.db import Database, Transaction
from services.kit.errors import KefuError
from services.kit.figures import Figures
from services.kit.inbox import Consumer
from services.kit.outbound.courier import Courier
from services.kit.outbound.letters import Letter
from services.kit.relay import Relay
from services.kit.schedules import Schedule, Scheduler
from services.kit.timers import Dispatcher

# Durable consumers that must have had an event before the outbox forgets it.
CONSUMERS: Final = ("crm-erasure", "gateway-erasure", "intake-erasure", "intake-tiers", "qa-erasure")
BATCH: Final = 2_000


class Jobs:
    """The recurring jobs. One that finds a full batch leaves the rest to its next period."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        tiers: Tiers,
        relations: Relations,
        surveys: Surveys,
        profiles: SiteProfiles,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._tiers = tiers
        self._relations = relations
        self._surveys = surveys
        self._profiles = profiles

    @property
    def schedules(self) -> list[Schedule]:
        """Hourly what expired is written down (it counts as expired at once) and reminders go out; nightly everybody's
        tier and standing are judged."""
        return [
            Schedule("crm.expire", "FREQ=HOURLY;BYMINUTE=7;BYSECOND=0", self._expire),
            Schedule("crm.reminders", "FREQ=HOURLY;BYMINUTE=37;BYSECOND=0", self._remind),
            Schedule("crm.tiers", "FREQ=DAILY;BYHOUR=3;BYMINUTE=20;BYSECOND=0", self._judge, zone="Asia/Shanghai"),
        ]

    async def _expire(self, _period: datetime, tx: Transaction) -> None:
        await self._ledger.sweep(tx, limit=BATCH)
        await coupons.expire(tx, limit=BATCH)
        await customers.mark_stale(tx, limit=BATCH)

    async def _remind(self, _period: datetime, tx: Transaction) -> None:
        for profile in self._profiles.in_force(tx.now):
            await self._surveys.remind(self._database, profile.site)
            await tx.execute("SELECT 1")

    async def _judge(self, _period: datetime, tx: Transaction) -> None:
        # in transactions of its own, page by page; the scheduler's must not be taken for an abandoned one meanwhile
        for profile in self._profiles.in_force(tx.now):
            await recompute(self._database, self._tiers, profile, pulse=lambda: tx.execute("SELECT 1"))
            await self._relations.judge(profile, pulse=lambda: tx.execute("SELECT 1"))


@dataclass(slots=True)
class Worker:
    """The background work of crm; its relay and dispatcher also serve a stack in virtual time."""

    database: Database
    figures: Figures
    relay: Relay
    scheduler: Scheduler
    dispatcher: Dispatcher
    courier: Courier[Letter]
    consumers: Sequence[Consumer]
    metrics: CrmMetrics
    liability_seconds: float

    async def run(self) -> None:
        """Work for ever; ends by cancellation. In virtual time the clock service relays and fires the timers itself."""
        await self.scheduler.start(self.database)
        async with asyncio.TaskGroup() as group:
            group.create_task(audit.keep_sealed(self.database), name="audit")
            group.create_task(self.figures.keep(), name="backlog")
            group.create_task(self._keep_liability(), name="liability")
            group.create_task(self.courier.run(), name="courier")
            for consumer in self.consumers:
                group.create_task(consumer.run(), name=consumer.name)
            if self.database.virtual is None:
                group.create_task(self.relay.run(), name="relay")
                group.create_task(self.dispatcher.run(), name="timers")

    async def _keep_liability(self) -> None:
        while True:
            with contextlib.suppress(KefuError):  # the database is away: the last figures stand
                self.metrics.liability(await store.liability(self.database))
            await asyncio.sleep(self.liability_seconds)
