"""Connections to JetStream that end when they break.

The client's own reconnecting would send what it had buffered after messages that were lost with the old connection, and
so turn their order round. Each user of the bus therefore opens a connection, works until it breaks, and starts anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from services.kit.errors import Aborted, DeadlineExceeded, ResourceExhausted, Unavailable
from services.kit.publisher import Message, Publisher

STREAM: Final = "KEFU"
SUBJECTS: Final = "kefu.>"
CONNECT_SECONDS: Final = 2
ANSWER_SECONDS: Final = 5.0
KEEP_SECONDS: Final = 7 * 24 * 3600.0
# A message id that comes again within this time is dropped by the stream itself; later ones by the inbox.
DUPLICATE_SECONDS: Final = 600.0
RETRY_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
WORKED_SECONDS: Final = 5.0

# What passes by itself: the bus or the database is away or busy.
PASSING: Final = (
    Unavailable,
    Aborted,
    DeadlineExceeded,
    ResourceExhausted,
    nats.errors.Error,
    OSError,
    TimeoutError,
)

log = logging.getLogger(__name__)


class Link:
    """One open connection; `broken` is set when it has ended."""

    def __init__(self, client: Client, broken: asyncio.Event) -> None:
        self.client = client
        self.broken = broken
        self.jetstream: JetStreamContext = client.jetstream(timeout=ANSWER_SECONDS)
        self._publisher = Publisher(client)

    async def publish(self, messages: Sequence[Message]) -> list[int]:
        """Publish in order; returns the sequences of those that the stream has, up to the first that it has not."""
        return await self._publisher.publish(messages, within=ANSWER_SECONDS, broken=self.broken)


@contextlib.asynccontextmanager
async def connected(url: str, name: str) -> AsyncIterator[Link]:
    """Open a connection for the length of the block; it does not reconnect."""
    broken = asyncio.Event()

    async def note(_error: Exception | None = None) -> None:
        broken.set()

    client = await nats.connect(
        url,
        name=name,
        allow_reconnect=False,
        connect_timeout=CONNECT_SECONDS,
        ping_interval=5,
        max_outstanding_pings=2,
        closed_cb=note,
        disconnected_cb=note,
        error_cb=_quiet,
    )
    try:
        yield Link(client, broken)
    finally:
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            await client.close()


async def ensure_stream(jetstream: JetStreamContext, *, replicas: int = 1) -> api.StreamInfo:
    """Create the stream `KEFU` if it is missing and return what it is."""
    try:
        return await jetstream.stream_info(STREAM)
    except NotFoundError:
        config = api.StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS],
            storage=api.StorageType.FILE,
            max_age=KEEP_SECONDS,
            duplicate_window=DUPLICATE_SECONDS,
            num_replicas=replicas,
        )
        return await jetstream.add_stream(config)


async def for_ever(url: str, name: str, work: Callable[[Link], Awaitable[Any]]) -> None:
    """Run `work` on a connection, again on a new one whenever it ends or something passing fails."""
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        began = loop.time()
        with contextlib.suppress(*PASSING):
            async with connected(url, name) as link:
                await work(link)
        failures = 0 if loop.time() - began > WORKED_SECONDS else failures + 1
        log.info("%s starts anew", name)
        await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])


async def _quiet(_error: Exception) -> None:
    """Keep the client from printing what the caller handles."""
