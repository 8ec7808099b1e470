"""Pull messages of one consumer with a standing request, so that a message arrives as soon as the stream has it.

The client library's own `fetch` asks twice for each batch and waits for it to fill; this keeps one request open and
hands over whatever has come.
"""

from __future__ import annotations

import asyncio
import json

from nats.aio.msg import Msg

from services.kit import bus
from services.kit.bus import Link
from services.kit.errors import Unavailable

EXPIRES_SECONDS = 20
HEARTBEAT_SECONDS = 5
SILENCE_SECONDS = 12.0
PLAIN_TOKENS = 9  # of a reply subject without domain and account


def sequence_of(message: Msg) -> int:
    """Return a message's place in the stream.

    Read from its reply subject, `$JS.ACK.(domain.account.)?stream.consumer.delivered.sequence.…`, because the client
    library's `metadata` builds two objects and a datetime around it: as much work as all else on a message.
    """
    tokens = message.reply.split(".")
    return int(tokens[5] if len(tokens) == PLAIN_TOKENS else tokens[7])


class Pull:
    """Messages of a consumer, at most about `batch` ahead of the handler."""

    def __init__(self, link: Link, consumer: str, *, batch: int) -> None:
        self._link = link
        self._request = f"$JS.API.CONSUMER.MSG.NEXT.{bus.STREAM}.{consumer}"
        self._batch = batch
        self._asked = 0
        self._refused = False
        self._came: list[Msg] = []
        self._something = asyncio.Event()
        self._inbox = link.client.new_inbox()

    async def start(self) -> None:
        """Begin to receive."""
        await self._link.client.subscribe(self._inbox, cb=self._receive)
        await self._ask()

    async def next(self) -> list[Msg]:
        """Return what has come, at least one message and at most `batch`.

        Raises Unavailable when the connection broke or the server fell silent.
        """
        bus.obey()
        while not self._came:
            self._something.clear()
            await self._wait()
            if self._asked <= 0:
                await self._ask()
        taken, self._came = self._came[: self._batch], self._came[self._batch :]
        if self._asked <= self._batch // 2 and len(self._came) < self._batch:
            await self._ask()
        return taken

    async def give_back(self) -> None:
        """Hand what was not taken to somebody else; for the end."""
        if not self._link.broken.is_set():
            for message in self._came:
                await message.nak()

    async def _wait(self) -> None:
        broken = asyncio.ensure_future(self._link.broken.wait())
        something = asyncio.ensure_future(self._something.wait())
        try:
            done, _ = await asyncio.wait(
                {broken, something}, timeout=SILENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            broken.cancel()
            something.cancel()
        if something not in done or self._refused:
            raise Unavailable(metadata={"part": "nats"})

    async def _ask(self) -> None:
        nanoseconds = 1_000_000_000
        request = {
            "batch": self._batch,
            "expires": EXPIRES_SECONDS * nanoseconds,
            "idle_heartbeat": HEARTBEAT_SECONDS * nanoseconds,
        }
        self._asked += self._batch
        await self._link.client.publish(self._request, json.dumps(request).encode(), reply=self._inbox)

    async def _receive(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None:
            self._asked -= 1
            self._came.append(message)
        elif status in {"404", "408"}:  # a request has ended
            self._asked -= int(headers.get("Nats-Pending-Messages", self._batch))
        elif status != "100":  # the consumer is gone or the server refuses; a heartbeat (100) only shows that it stands
            self._refused = True
        self._something.set()
