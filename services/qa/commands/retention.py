"""What goes and what must stay: age, legal holds, customers who want to be forgotten."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final

from services.kit.audit import Entry
from services.kit.db import Database, Transaction
from services.qa.commands.contents import folder_of
from services.qa.commands.recordings import changed
from services.qa.domain.recording import EXPIRED, Recording
from services.qa.errors import wrong_state
from services.qa.store import contents, deletions, recordings
from services.qa.store.objects import Objects

BATCH: Final = 500
DELETIONS: Final = 50  # each asks the object store
ACTOR: Final = "retention"


class Retention:
    """Commands and jobs that delete, and those that keep."""

    def __init__(self, database: Database, objects: Objects) -> None:
        self._database = database
        self._objects = objects

    async def hold(self, tx: Transaction, site: str, id_: str, reason: str, *, actor: str) -> Recording:
        """Keep a recording until the hold is lifted. Raises FailedPrecondition for one that is gone."""
        recording = await recordings.get(tx, site, id_, lock=True)
        if recording.state == EXPIRED:
            raise wrong_state(recording.name, EXPIRED, "REGISTERED, AVAILABLE, SAMPLED, REVIEWED")
        await deletions.hold(tx, site, id_, reason, actor)
        tx.audit(Entry(site, actor, "recording.hold", recording.name))
        return await recordings.get(tx, site, id_)

    async def release(self, tx: Transaction, site: str, id_: str, *, actor: str) -> Recording:
        """Lift a hold; a recording whose customer was to be forgotten meanwhile goes at once."""
        recording = await recordings.get(tx, site, id_, lock=True)
        erase = await deletions.release(tx, site, id_)
        tx.audit(Entry(site, actor, "recording.release", recording.name))
        if erase:
            await self._destroy(tx, site, [id_], "ERASURE", actor)
        return await recordings.get(tx, site, id_)

    async def sweep(self, _period: datetime, tx: Transaction) -> None:
        """The recurring job: destroy what is over its time, then delete the parts of everything destroyed."""
        await contents.forget_playbacks(tx)
        # in transactions of their own; the scheduler's must not be taken for an abandoned one meanwhile
        while await self.expire() == BATCH:
            await tx.execute("SELECT 1")
        while await self.delete() == DELETIONS:
            await tx.execute("SELECT 1")

    async def expire(self) -> int:
        """Destroy the keys of up to `BATCH` recordings whose time is over, at every site; returns how many."""
        by_site = defaultdict(list)
        async with self._database.transaction() as tx:
            due = await deletions.due(tx, limit=BATCH)
            for site, id_ in due:
                by_site[site].append(id_)
            for site, ids in by_site.items():
                await self._destroy(tx, site, ids, "RETENTION", ACTOR)
        return len(due)

    async def delete(self) -> int:
        """Delete the parts of up to `DELETIONS` recordings whose key is destroyed; returns of how many.

        Harmless to repeat and to interrupt: nothing waits in the database for the object store, and the proof is
        completed after it.
        """
        async with self._database.transaction(read_only=True) as tx:
            waiting = await deletions.open_deletions(tx, limit=DELETIONS)
        for site, _, upload in waiting:
            await self._objects.delete_all(folder_of(site, upload))
        async with self._database.transaction() as tx:
            for site, id_ in await deletions.deleted(tx, [(site, id_) for site, id_, _ in waiting]):
                tx.audit(Entry(site, ACTOR, "recording.deleted", f"sites/{site}/recordings/{id_}"))
        return len(waiting)

    async def _destroy(self, tx: Transaction, site: str, ids: list[str], cause: str, actor: str) -> None:
        for gone in (await deletions.destroy(tx, site, ids, cause)).recordings:
            tx.audit(Entry(site, actor, "recording.destroy", gone.name, f"{cause} {gone.sha256}"))
            tx.publish(changed(gone, EXPIRED))
