"""The dispatcher: claims what is due, hands it on in the same transaction, sleeps until the next deadline.

Any number of dispatchers share one table: claims skip each other's locks, and a claimed timer is deleted in the
transaction of its effect, so that a crash at any point leaves it armed and nothing happens twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TypeAlias

import asyncpg

from services.kit import parked
from services.kit.db import Database, Transaction
from services.kit.errors import Aborted, DeadlineExceeded, ResourceExhausted, Unavailable
from services.kit.timers.table import CHANNEL, POLL_SECONDS, Timer

Fire: TypeAlias = Callable[[list[Timer], Transaction], Awaitable[None]]
Fired: TypeAlias = Callable[[Sequence[Timer], datetime], None]

BATCH = 500
SWEEP_SECONDS = 1.0
# What is armed for now within it shares a batch; a deadline that was known before is never kept waiting.
GATHER_SECONDS = 0.03
# Below the last drained instant there are only dead index entries, apart from late commits; the sweep finds those.
MARGIN = timedelta(seconds=1)
ANCIENT = datetime(1970, 1, 1, tzinfo=UTC)

# The lower bound keeps the scan off the dead index entries of timers fired before; see PERFORMANCE.md.
CLAIM = """
DELETE FROM kefu_timers WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM kefu_timers WHERE fire_at > $1 AND fire_at <= kefu_now()
    ORDER BY fire_at LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING owner_kind, owner_id, kind, site, generation, due_at
"""
_CLAIM_ONE = """
DELETE FROM kefu_timers
WHERE owner_kind = $1 AND owner_id = $2 AND kind = $3 AND generation = $4 AND fire_at <= kefu_now()
"""
NEXT = "SELECT kefu_now() AS now, (SELECT min(fire_at) FROM kefu_timers WHERE fire_at > $1) AS due"
_POSTPONE = """
UPDATE kefu_timers SET tries = tries + 1, fire_at = kefu_now() + make_interval(secs => 0.2 * 4 ^ tries)
WHERE owner_kind = $1 AND owner_id = $2 AND kind = $3 AND generation = $4
RETURNING tries
"""
_PARK = """
WITH gone AS (
    DELETE FROM kefu_timers WHERE owner_kind = $1 AND owner_id = $2 AND kind = $3 AND generation = $4
    RETURNING *)
INSERT INTO kefu_parked (consumer, item_id, subject, payload, tries, error, parked_at)
SELECT 'timers', owner_kind || '/' || owner_id || '/' || kind, site,
       convert_to(json_build_object('owner_kind', owner_kind, 'owner_id', owner_id, 'kind', kind, 'site', site,
                                    'generation', generation, 'due_at', due_at)::text, 'UTF8'), tries, $5, now()
FROM gone
ON CONFLICT (consumer, item_id) DO UPDATE
SET payload = excluded.payload, tries = excluded.tries, error = excluded.error, parked_at = excluded.parked_at
"""
# Nothing is wrong with the timer itself: it is simply tried again.
_PASSING = (Unavailable, Aborted, DeadlineExceeded, ResourceExhausted)

log = logging.getLogger(__name__)


class Dispatcher:
    """Fires the timers of one schema; `routes` says who handles which owner kind.

    A handler gets the timers of its owner kind, ordered by deadline, and the transaction in which they cease to exist.
    When it raises, the batch is tried again one by one; a timer that fails five times is parked.
    """

    def __init__(
        self, database: Database, routes: Mapping[str, Fire], *, batch: int = BATCH, fired: Fired | None = None
    ) -> None:
        self._database = database
        self._routes = dict(routes)
        self._batch = batch
        self._fired = fired
        self._low = ANCIENT

    async def run(self) -> None:
        """Fire timers as they fall due, for ever; ends by cancellation. Survives the database's absence.

        In virtual time it leaves them all to `VirtualTime`, so that they fire in the same order in each run.
        """
        if self._database.virtual is not None:
            await asyncio.Event().wait()
        hint = self._database.hints.subscribe(CHANNEL)
        loop = asyncio.get_running_loop()
        swept = loop.time()
        while True:
            hint.clear()
            pause = POLL_SECONDS
            try:
                if loop.time() - swept >= SWEEP_SECONDS:
                    swept, self._low = loop.time(), ANCIENT
                await self.fire_due()
                pause = await self._until_next()
            except _PASSING:
                log.warning("timers wait: the database is away or busy")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await hint.wait()
                    await asyncio.sleep(GATHER_SECONDS)

    async def fire_due(self) -> int:
        """Fire everything that is due now and return how many timers that was."""
        fired = 0
        while claimed := await self._fire_batch():
            fired += claimed
            if claimed < self._batch:
                break
        return fired

    async def next_due(self) -> datetime | None:
        """Return the earliest armed deadline, None when nothing is armed."""
        row = await self._database.fetchrow(NEXT, ANCIENT)
        return None if row is None else row["due"]

    async def _until_next(self) -> float:
        row = await self._database.fetchrow(NEXT, self._low)
        assert row is not None
        self._low = row["now"] - MARGIN
        if row["due"] is None:
            return POLL_SECONDS
        left: timedelta = row["due"] - row["now"]
        return min(POLL_SECONDS, max(0.0, left.total_seconds()))

    async def _fire_batch(self) -> int:
        timers: list[Timer] = []
        try:
            async with self._database.transaction() as tx:
                timers = [_timer(row) for row in await tx.fetch(CLAIM, self._low, self._batch)]
                await self._hand_on(timers, tx)
        except _PASSING:
            raise
        except Exception:
            log.exception("a batch of %d timers failed and is tried one by one", len(timers))
            for timer in timers:
                await self._fire_one(timer)
        return len(timers)

    async def _hand_on(self, timers: Sequence[Timer], tx: Transaction) -> None:
        ordered = sorted(timers, key=lambda timer: (timer.owner_kind, timer.due_at, timer.owner_id, timer.kind))
        for owner_kind, group in groupby(ordered, key=lambda timer: timer.owner_kind):
            route = self._routes.get(owner_kind)
            if route is None:
                raise LookupError(f"nobody handles timers of {owner_kind}")
            await route(list(group), tx)
        if self._fired is not None and timers:
            fired, now = self._fired, tx.now
            tx.after_commit(lambda: fired(timers, now))

    async def _fire_one(self, timer: Timer) -> None:
        try:
            async with self._database.transaction() as tx:
                if await tx.execute(_CLAIM_ONE, *timer.key, timer.generation) != "DELETE 0":
                    await self._hand_on([timer], tx)
        except _PASSING:
            raise
        except Exception as error:
            log.exception("timer %s failed", timer.kind)
            async with self._database.transaction() as tx:
                tries = await tx.fetchval(_POSTPONE, *timer.key, timer.generation)
                if tries is not None and tries >= parked.TRIES:
                    await tx.execute(_PARK, *timer.key, timer.generation, parked.describe(error))


def _timer(row: asyncpg.Record) -> Timer:
    return Timer(*row.values())
