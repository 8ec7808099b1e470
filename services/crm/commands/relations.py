"""Every night: where each buyer stands, whom to have a word with, who is lost, and which cases have ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from services.crm.commands.tiers import nothing
from services.crm.commands.win_backs import WinBacks
from services.crm.domain.churn import Lifecycle, Standing
from services.crm.domain.contact import cause_of
from services.crm.domain.period import later
from services.crm.domain.rules import churn_days, contact_interval
from services.crm.queries.lifecycles import buying_days, judge
from services.crm.store import contact_tasks, lifecycles
from services.kit.db import Database, Transaction
from services.policy.profile import Profile

BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Relations:
    """The nightly judgement of a site."""

    database: Database
    win_backs: WinBacks
    new_id: Callable[[], str]

    async def judge(self, profile: Profile, *, pulse: Callable[[], Awaitable[object]] = nothing) -> None:
        """Judge every buyer in batches, each a transaction of its own: a crash leaves what is done, done.

        `pulse` is awaited after each batch. Nothing happens at a site without a rule for lost customers.
        """
        lost_after_d, site = churn_days(profile), profile.site
        if lost_after_d is None:
            return
        async with self.database.transaction(sites=[site], read_only=True) as tx:
            today = tx.now.astimezone(profile.timezone).date()
            rows = await buying_days(tx, site, today)
        found, _ = judge(rows, today, lost_after_d)
        everybody = list(found)
        for start in range(0, len(everybody), BATCH):
            async with self.database.transaction(sites=[site]) as tx:
                await self._batch(tx, profile, {one: found[one] for one in everybody[start : start + BATCH]})
            await pulse()
        await self.win_backs.settle(self.database, profile)

    async def _batch(self, tx: Transaction, profile: Profile, found: Mapping[str, Standing]) -> None:
        before = await lifecycles.put(tx, profile.site, found)
        lost = [
            one
            for one, standing in found.items()
            if standing.lifecycle is Lifecycle.LOST and before[one] is not Lifecycle.LOST
        ]
        await self.win_backs.detect(tx, profile, lost)
        await self._tasks(tx, profile, {one: standing.lifecycle for one, standing in found.items()})

    async def _tasks(self, tx: Transaction, profile: Profile, found: Mapping[str, Lifecycle]) -> None:
        interval = contact_interval(profile)
        if interval is None:
            return
        old = {one: cycle for one, cycle in found.items() if cycle in (Lifecycle.OLD, Lifecycle.DORMANT)}
        for customer, signals in (await contact_tasks.signals(tx, profile.site, old)).items():
            due = later(signals.last_contact_at, interval) - signals.last_contact_at
            if (cause := cause_of(signals, interval=due, now=tx.now)) is not None:
                await contact_tasks.insert(tx, profile.site, self.new_id(), customer, cause)
