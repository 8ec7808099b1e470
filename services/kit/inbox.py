"""Events in: a durable consumer whose effects happen once each.

A handled event leaves a row in the inbox in the transaction of its effect; an event that comes again meets it and is
dropped. What fails is tried again, later and later; after the fifth failure it is parked (`parked`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from kefu.events.v1.event_pb2 import Event
from nats.aio.msg import Msg
from nats.js import api
from nats.js.errors import NotFoundError

from services.kit import bus, call, parked
from services.kit.bus import Link
from services.kit.db import Database, Transaction
from services.kit.pull import Pull
from services.kit.telemetry.trace import Trace, Tracer, failed

Handler: TypeAlias = Callable[[Event, Transaction], Awaitable[None]]
Afterwards: TypeAlias = Callable[[], Awaitable[None]]

BATCH = 100
ACK_WAIT_SECONDS = 10.0
KEPT_DAYS = 14  # longer than the stream keeps a message

_NEW = """
INSERT INTO kefu_inbox (consumer, event_id) SELECT $1, unnest($2::text[])
ON CONFLICT (consumer, event_id) DO NOTHING RETURNING event_id
"""
_FORGET = "DELETE FROM kefu_inbox WHERE consumer = $1 AND handled_at >= $2"
_EXPIRE = "DELETE FROM kefu_inbox WHERE handled_at < now() - make_interval(days => $1)"

log = logging.getLogger(__name__)


class Consumer:
    """Feeds one durable consumer's events to `handler`, each in the transaction of its effect.

    `subjects` are filters such as `kefu.staffing.*.people`. Replicas of a service share the durable name and so the
    work. Order holds per aggregate as long as nothing fails; a handler compares versions where order matters to it.
    `afterwards` runs after the commit and before the acknowledgement: a stack in virtual time relays there, so that
    "all acknowledged" means "all consequences published". Events share transactions; with `alone` each has its own,
    for a handler that locks rows in an order which two events in a row would break.
    """

    def __init__(
        self,
        database: Database,
        url: str,
        *,
        name: str,
        subjects: Sequence[str],
        handler: Handler,
        afterwards: Afterwards | None = None,
        tracer: Tracer | None = None,
        alone: bool = False,
    ) -> None:
        self._alone = alone
        self.name = name
        self._tracer = tracer or Tracer()
        self._database = database
        self._url = url
        self._subjects = list(subjects)
        self._handler = handler
        self._afterwards = afterwards

    async def run(self) -> None:
        """Consume for ever; ends by cancellation. While NATS or PostgreSQL is away the events wait."""
        await bus.for_ever(self._url, self.name, self._work)

    async def replay(self, since: datetime) -> int:
        """Handle again every event of the stream from `since` on, as if it had never come; returns how many.

        For a handler whose effects were wrong: they must bear repetition.
        """
        async with bus.connected(self._url, f"{self.name}-replay") as link:
            # the last sequence is read before the inbox forgets, so that new events are left to `run`
            last = (await link.jetstream.stream_info(bus.STREAM)).state.last_seq
            await self._database.execute(_FORGET, self.name, since)
            config = api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_TIME,
                opt_start_time=since,
                ack_policy=api.AckPolicy.EXPLICIT,
                filter_subjects=self._subjects,
                inactive_threshold=60.0,
            )
            info = await link.jetstream.add_consumer(bus.STREAM, config)
            pull = Pull(link, str(info.name), batch=BATCH)
            await pull.start()
            return await self._replay(pull, last, info.num_pending or 0)

    async def _replay(self, pull: Pull, last: int, expected: int) -> int:
        handled = 0
        while handled < expected:
            messages = await pull.next()
            await self._consume([message for message in messages if message.metadata.sequence.stream <= last])
            handled += len(messages)
        return handled

    async def _work(self, link: Link) -> None:
        await bus.ensure_stream(link.jetstream)
        await self._ensure_consumer(link)
        pull = Pull(link, self.name, batch=BATCH)
        await pull.start()
        try:
            while True:
                await self._consume(await pull.next())
        finally:
            await pull.give_back()

    async def _ensure_consumer(self, link: Link) -> None:
        config = api.ConsumerConfig(
            durable_name=self.name,
            deliver_policy=api.DeliverPolicy.ALL,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            max_deliver=-1,
            max_ack_pending=1_000,
            filter_subjects=self._subjects,
        )
        try:
            known = await link.jetstream.consumer_info(bus.STREAM, self.name)
        except NotFoundError:
            known = None
        if known is None or known.config.filter_subjects != self._subjects:
            await link.jetstream.add_consumer(bus.STREAM, config)

    async def _consume(self, messages: Sequence[Msg]) -> None:
        """Handle a batch in one transaction; when one of it fails, or as the handler wishes, each in its own."""
        if self._alone and len(messages) > 1:
            for message in messages:
                await self._consume([message])
            return
        try:
            await self._handle(messages)
        except bus.PASSING:
            for message in messages:
                await message.nak(delay=0.2)
            return
        except Exception as error:
            if len(messages) > 1:
                for message in messages:
                    await self._consume([message])
                return
            log.exception("%s failed on an event", self.name)
            await self._failed(messages[0], error)
            return
        for message in messages:
            await message.ack()

    async def _handle(self, messages: Sequence[Msg]) -> None:
        events = {event.id: (event, message) for message in messages for event in [Event.FromString(message.data)]}
        async with self._database.transaction() as tx:
            new = {row["event_id"] for row in await tx.fetch(_NEW, self.name, sorted(events))}
            for event, message in events.values():
                if event.id in new:
                    await self._hand_on(event, message, tx)
            if any(_came_before(message, event) for event, message in events.values()):
                await parked.forget(tx, self.name, sorted(events))
        if self._afterwards is not None:
            await self._afterwards()

    async def _hand_on(self, event: Event, message: Msg, tx: Transaction) -> None:
        """Handle one event in the trace of the call that caused it."""
        trace = Trace((message.headers or {}).get("traceparent"))
        attributes = {"messaging.system": "nats", "messaging.destination.name": message.subject}
        span = self._tracer.open(trace, f"process {self.name}", kind="CONSUMER", attributes=attributes)
        try:
            with call.bind(call.system_call(self.name, site=event.site or "*", trace=trace)):
                await self._handler(event, tx)
        except BaseException as error:
            if span is not None:
                failed(span, type(error).__name__)
            raise
        finally:
            if span is not None:
                span.end()

    async def _failed(self, message: Msg, error: Exception) -> None:
        tries = await parked.count_failure(self._database, self.name, message, error)
        if tries >= parked.TRIES:
            log.error("%s parked an event after %d tries", self.name, tries)
            await message.ack()
        else:
            await message.nak(delay=0.01 if self._database.virtual else parked.backoff(tries))


def _came_before(message: Msg, event: Event) -> bool:
    """Say whether failures may be on record: a redelivery, or a parked event on its new round."""
    return message.metadata.num_delivered != 1 or parked.message_id(message) != event.id


async def expire_inbox(tx: Transaction) -> int:
    """Delete inbox rows that are older than any message of the stream; returns how many."""
    return int((await tx.execute(_EXPIRE, KEPT_DAYS)).split()[-1])


async def run_all(consumers: Sequence[Consumer]) -> None:
    """Run several consumers together."""
    async with asyncio.TaskGroup() as group:
        for consumer in consumers:
            group.create_task(consumer.run(), name=consumer.name)
