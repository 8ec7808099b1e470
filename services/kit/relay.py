"""From the outbox into JetStream, in order, and out of the outbox once every declared consumer has passed.

One relay of a schema publishes at a time (a lock that ends with its transaction), so that the order of an aggregate's
events is the order of its commits; the others stand by and take over by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from nats.js import api
from nats.js.errors import NotFoundError

from services.kit import bus
from services.kit.bus import Link
from services.kit.db import Database
from services.kit.errors import Unavailable
from services.kit.outbox import CHANNEL
from services.kit.publisher import Message
from services.kit.reconcile import reconcile

BATCH = 500
POLL_SECONDS = 0.25
GATHER_SECONDS = 0.02  # what commits within it shares a batch, here and at the consumers
TRIM_SECONDS = 1.0
TRIM_ROWS = 5_000
RECONCILE_SECONDS = 60.0
_ADVISORY = 0x72656C

# Whoever has the turn is alone with what is not published, so the rows need no locks. What the one before published
# after this statement began comes once more and is dropped by the stream by its id.
_CLAIM = """
WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1, hashtext(current_schema())) AS mine)
SELECT position, message_id, subject, payload, traceparent FROM kefu_outbox
WHERE published_seq IS NULL AND (SELECT mine FROM turn)
ORDER BY position LIMIT $2
"""
_PUBLISHED = """
UPDATE kefu_outbox o SET published_seq = p.seq FROM unnest($1::bigint[], $2::bigint[]) AS p (position, seq)
WHERE o.position = p.position
"""
_TRIM = """
DELETE FROM kefu_outbox WHERE position = ANY (ARRAY(
    SELECT position FROM kefu_outbox WHERE published_seq <= $1 ORDER BY published_seq LIMIT $2))
"""
_OPEN = "SELECT EXISTS (SELECT FROM kefu_outbox WHERE published_seq IS NULL)"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a durable consumer is."""

    pending: int
    """Events in the stream that it has not acknowledged."""
    acknowledged: int
    """Sequence in the stream up to which it is done."""


def service_of(consumer: str) -> str:
    """Whose consumer a durable name is: they read `<service>-<what for>`."""
    return consumer.partition("-")[0]


class Relay:
    """Moves one service's outbox. `consumers` are the durable names that must have had an event before it goes.

    `absent` are services that the installation does not have: nothing waits for their consumers, neither for those that
    never were nor for those that were left in the stream when a service was switched off.

    `retired` are durable names that this service once had: they leave the stream, since rows would be kept for them for
    ever. Once a minute, because a replica of yesterday may bring one back.
    """

    def __init__(
        self,
        database: Database,
        url: str,
        *,
        consumers: Sequence[str] = (),
        retired: Sequence[str] = (),
        absent: Sequence[str] = (),
        replicas: int = 1,
        progress: Callable[[Mapping[str, Progress]], None] | None = None,
    ) -> None:
        self._progress = progress
        self._database = database
        self._url = url
        self._absent = frozenset(absent)
        self._consumers = tuple(name for name in consumers if service_of(name) not in self._absent)
        self._retired = tuple(retired)
        self._replicas = replicas
        self._name = f"{database.service}-relay"

    @property
    def service(self) -> str:
        """Whose outbox it is."""
        return self._database.service

    async def run(self) -> None:
        """Relay for ever; ends by cancellation. While NATS or PostgreSQL is away the rows wait."""
        await bus.for_ever(self._url, self._name, self._work)

    async def open(self) -> bool:
        """Say whether rows wait to be published."""
        return bool(await self._database.fetchval(_OPEN))

    async def flush(self, link: Link) -> int:
        """Publish all that waits, over a connection of the caller's; returns how many. Raises when the bus fails."""
        total = 0
        while moved := await self.publish_batch(link):
            total += moved
            if moved < BATCH:
                break
        return total

    async def publish_batch(self, link: Link) -> int:
        """Publish at most `BATCH` rows in order and note their places in the stream."""
        # a mark that a power cut loses is made again: the stream drops the second copy by its id
        async with self._database.transaction(durable=False) as tx:
            rows = await tx.fetch(_CLAIM, _ADVISORY, BATCH)
            if not rows:
                return 0
            sequences = await link.publish([_message(row) for row in rows])
            await tx.execute(_PUBLISHED, [row["position"] for row in rows[: len(sequences)]], sequences)
        if len(sequences) < len(rows):
            raise Unavailable(metadata={"part": "nats"})
        return len(rows)

    async def trim(self, link: Link) -> int:
        """Delete the rows that all declared consumers have passed; returns how many."""
        passed = await self._passed(link)
        return int((await self._database.execute(_TRIM, passed, TRIM_ROWS)).split()[-1])

    async def retire(self, link: Link) -> None:
        """Take the retired consumers out of the stream."""
        for name in self._retired:
            with contextlib.suppress(NotFoundError):
                await link.jetstream.delete_consumer(bus.STREAM, name)

    async def _work(self, link: Link) -> None:
        await bus.ensure_stream(link.jetstream, replicas=self._replicas)
        await self.retire(link)
        await reconcile(self._database, link)
        hint = self._database.hints.subscribe(CHANNEL)
        chores = asyncio.create_task(self._chores(link))
        try:
            while not link.broken.is_set():
                bus.obey()
                hint.clear()
                if await self.publish_batch(link) == BATCH:
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await hint.wait()
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            self._database.hints.unsubscribe(CHANNEL, hint)
            chores.cancel()
            await asyncio.gather(chores, return_exceptions=True)

    async def _chores(self, link: Link) -> None:
        """Trim every second, reconcile every minute."""
        loop = asyncio.get_running_loop()
        reconciled = loop.time()
        while True:
            bus.obey()
            await asyncio.sleep(TRIM_SECONDS)
            with contextlib.suppress(*bus.PASSING):
                while await self.trim(link) == TRIM_ROWS:
                    pass
                if loop.time() - reconciled >= RECONCILE_SECONDS:
                    reconciled = loop.time()
                    await self.retire(link)
                    await reconcile(self._database, link)

    async def _passed(self, link: Link) -> int:
        """Return the stream sequence up to which every declared consumer is done; 0 while one of them is missing."""
        last = (await link.jetstream.stream_info(bus.STREAM)).state.last_seq
        infos = {
            info.name: info
            for info in await link.jetstream.consumers_info(bus.STREAM)
            if info.config.durable_name and service_of(info.name) not in self._absent
        }
        if self._progress is not None:
            self._progress({name: _progress(info) for name, info in infos.items()})
        if any(name not in infos for name in self._consumers):
            return 0
        return min((_floor(info, last) for info in infos.values()), default=last)


def _progress(info: api.ConsumerInfo) -> Progress:
    acknowledged = info.ack_floor.stream_seq if info.ack_floor is not None else 0
    return Progress((info.num_pending or 0) + (info.num_ack_pending or 0), acknowledged)


def _floor(info: api.ConsumerInfo, last: int) -> int:
    if not info.num_pending and not info.num_ack_pending:  # nothing in the stream concerns it any more
        return last
    return info.ack_floor.stream_seq if info.ack_floor is not None else 0


def _message(row: asyncpg.Record) -> Message:
    headers: dict[str, str] = {api.Header.MSG_ID: row["message_id"]}
    if row["traceparent"]:
        headers["traceparent"] = row["traceparent"]
    return row["subject"], row["payload"], headers
