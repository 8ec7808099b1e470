"""Taking a whole file of orders over: in batches, each with its progress in one transaction, so that a second run
begins where the first one ended and a third one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from services.crm.commands.orders import Orders, Recorded
from services.crm.commands.tiers import Tiers, recompute
from services.crm.files.orders import NOT_READABLE, Batch, OrderFile
from services.crm.profiles import SiteProfiles
from services.crm.store import imports
from services.crm.store.imports import Progress
from services.kit import heap
from services.kit.audit import Entry
from services.kit.db import Database, Transaction
from services.kit.errors import Aborted

# More would not be sorted in the memory that PostgreSQL gives a statement.
BATCH: Final = 10_000


class Import:
    """One file on its way into one site."""

    def __init__(
        self,
        database: Database,
        orders: Orders,
        tiers: Tiers,
        profiles: SiteProfiles,
        *,
        site: str,
        source: str,
        import_id: str,
        actor: str,
    ) -> None:
        self._database = database
        self._orders = orders
        self._tiers = tiers
        self._profiles = profiles
        self._site = site
        self._source = source
        self._id = import_id
        self._actor = actor

    async def run(self, file: OrderFile, name: str, *, progress: Callable[[], None], batch: int = BATCH) -> Progress:
        """Store what is not stored yet, then judge every customer anew; `progress` is called after each batch.

        Raises Aborted when somebody else takes the same import further at the same time.
        """
        async with self._database.transaction(sites=[self._site]) as tx:
            at = await imports.lock(tx, self._site, self._id, name)
        if at.ended_at is not None:
            return at
        with heap.for_rows():
            await self._take(file.batches(batch, skip=at.rows_done), name, at, progress)
        async with self._database.transaction(sites=[self._site], read_only=True) as tx:
            profile = self._profiles.at(self._site, tx.now)
        await recompute(self._database, self._tiers, profile)
        return await self._end(name)

    async def _take(self, batches: Iterator[Batch], name: str, at: Progress, progress: Callable[[], None]) -> None:
        reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
        while (found := await reading) is not None:
            # the next batch is read while the database works on this one
            reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
            try:
                at = await self._store(found, name, at)
            except BaseException:
                await asyncio.gather(reading, return_exceptions=True)
                raise
            progress()

    async def refusals(self) -> list[tuple[int, str]]:
        """Rows that were refused, with the rule that each broke."""
        async with self._database.transaction(sites=[self._site], read_only=True) as tx:
            return await imports.refusals(tx, self._site, self._id)

    async def _store(self, batch: Batch, name: str, before: Progress) -> Progress:
        # does not wait for the disk: a power cut takes batches with their progress, and the next run brings them again
        async with self._database.transaction(sites=[self._site], durable=False) as tx:
            if await imports.lock(tx, self._site, self._id, name) != before:
                raise Aborted(metadata={"name": f"sites/{self._site}/imports/{self._id}"})
            done = await self._orders.record(tx, self._site, self._source, batch.lines, actor=self._actor, judge=False)
            refused = [(number, NOT_READABLE) for number in batch.unread]
            refused += [(batch.numbers[at], rule) for at, rule in done.refused]
            await imports.refuse(tx, self._site, self._id, refused)
            after = _further(before, batch, done, len(refused))
            await imports.put(tx, self._site, self._id, after)
        return after

    async def _end(self, name: str) -> Progress:
        async with self._database.transaction(sites=[self._site]) as tx:
            at = replace(await imports.lock(tx, self._site, self._id, name), ended_at=tx.now)
            await imports.put(tx, self._site, self._id, at)
            self._audit(tx, at)
        return at

    def _audit(self, tx: Transaction, at: Progress) -> None:
        said = f"stored {at.stored}, repeated {at.repeated}, refused {at.refused}"
        tx.audit(Entry(self._site, self._actor, "orders.import", f"sites/{self._site}/imports/{self._id}", said))


def _further(before: Progress, batch: Batch, done: Recorded, refused: int) -> Progress:
    return Progress(
        rows_done=batch.last,
        stored=before.stored + done.stored,
        repeated=before.repeated + done.repeated,
        refused=before.refused + refused,
    )
