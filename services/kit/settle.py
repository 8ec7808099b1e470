"""When is everything consumed? For stacks in virtual time, where the clock waits for that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from nats.js import api

from services.kit import bus, call
from services.kit.bus import Link
from services.kit.errors import DeadlineExceeded
from services.kit.relay import Relay

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.002
# Events that nobody in the stack listens to have no consequences to wait for: a replay of a day has tens of thousands.
UNHEARD_SECONDS = 1.0


class Settler:
    """Publishes what waits and returns once no consumer of the stack has anything left to do.

    `async with Settler(relay, url) as settler:`; pass `settler.relay` to the service's consumers as `afterwards` and
    `settler.settle` to `VirtualTime`. `consumers` names those of this service: one that is not there yet, since the
    service has only begun, has everything left to do.
    """

    def __init__(self, relay: Relay, url: str, *, consumers: Iterable[str] = ()) -> None:
        self._relay = relay
        self._url = url
        self._own = frozenset(consumers)
        self._stack = contextlib.AsyncExitStack()
        self._link: Link | None = None
        self._relayed_at = float("-inf")

    async def __aenter__(self) -> Settler:
        """Connect."""
        self._link = await self._stack.enter_async_context(bus.connected(self._url, "settler"))
        await bus.ensure_stream(self._link.jetstream)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def relay(self) -> None:
        """Publish this service's waiting events now; a background relay may hold a batch for a moment."""
        while await self._relay.open():
            if not await self._relay.flush(self._connected()):
                await asyncio.sleep(LOOK_SECONDS)

    async def settle(self) -> None:
        """Wait until every event is published and consumed, and so are those that this caused.

        Raises DeadlineExceeded at the caller's deadline (a minute without one): some consumer does not run.
        """
        current = call.maybe()
        seconds = PATIENCE_SECONDS if current is None else current.deadline.within(PATIENCE_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                # In this order: consumers publish what they cause before they acknowledge.
                consumers = await self._consumers()
                if self._heard(consumers) or self._overdue():
                    await self.relay()
                    consumers = await self._consumers()
                while not self._quiet(consumers):
                    bus.obey()
                    await asyncio.sleep(LOOK_SECONDS)
                    await self.relay()
                    consumers = await self._consumers()
        except TimeoutError as error:
            raise DeadlineExceeded from error

    async def _consumers(self) -> list[api.ConsumerInfo]:
        return list(await self._connected().jetstream.consumers_info(bus.STREAM))

    def _heard(self, consumers: list[api.ConsumerInfo]) -> bool:
        """Whether some consumer listens to this service's events, or a feed tells those who watch."""
        return any(
            subject.split(".")[1:2] in ([self._relay.service], ["*"], [">"])
            for info in consumers
            for subject in (info.config.filter_subjects or [info.config.filter_subject or bus.SUBJECTS])
        )

    def _quiet(self, consumers: list[api.ConsumerInfo]) -> bool:
        durable = [info for info in consumers if info.config.durable_name]
        standing = {info.config.durable_name for info in durable}
        return self._own <= standing and all(not one.num_pending and not one.num_ack_pending for one in durable)

    def _overdue(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._relayed_at < UNHEARD_SECONDS:
            return False
        self._relayed_at = now
        return True

    def _connected(self) -> Link:
        if self._link is None:
            raise RuntimeError("enter the settler first: async with settler")
        return self._link
