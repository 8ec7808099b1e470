"""Many messages into the stream with one wait for all of its answers.

Each message has an answer of its own, told by the last token of its reply subject. The client library's `publish_async`
spends several times as much on each: a semaphore, a timer, two random tokens, a future.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

Message: TypeAlias = tuple[str, bytes, dict[str, str]]
"""Subject, payload, headers."""


class _Ack(msgspec.Struct):
    seq: int = 0  # a refusal has none


_read: Final = msgspec.json.Decoder(_Ack).decode


class _Round:
    """The answers to the messages of one call; 0 where there is none yet, or the stream refused."""

    def __init__(self, size: int) -> None:
        self.sequences = [0] * size
        self.missing = size
        self.done = asyncio.Event()

    def note(self, number: int, sequence: int) -> None:
        self.sequences[number] = sequence
        self.missing -= 1
        if not self.missing:
            self.done.set()


class Publisher:
    """Publishes over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._listens = False
        self._numbers = itertools.count()
        self._rounds: dict[str, _Round] = {}

    async def publish(self, messages: Sequence[Message], *, within: float, broken: asyncio.Event) -> list[int]:
        """Publish in order; returns the sequences of those that the stream has, up to the first that it has not.

        Waits `within` seconds at most, and no longer than the connection lasts. Raises nats.errors.Error or OSError
        when nothing could be sent at all.
        """
        if not self._listens:
            await self._client.subscribe(f"{self._inbox}.*.*", cb=self._answered)
            self._listens = True
        key, round_ = str(next(self._numbers)), _Round(len(messages))
        self._rounds[key] = round_
        try:
            for number, (subject, payload, headers) in enumerate(messages):
                await self._client.publish(subject, payload, f"{self._inbox}.{key}.{number}", headers)
            ends = {asyncio.ensure_future(event.wait()) for event in (round_.done, broken)}
            await asyncio.wait(ends, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        finally:
            del self._rounds[key]
        return list(itertools.takewhile(bool, round_.sequences))

    async def _answered(self, message: Msg) -> None:
        _, key, number = message.subject.rsplit(".", 2)
        if round_ := self._rounds.get(key):
            round_.note(int(number), _sequence(message.data))


def _sequence(answer: bytes) -> int:
    """Return where the stream put a message; 0 when it refused, or when there is no stream (an empty answer)."""
    return _read(answer).seq if answer else 0
