"""Virtual time: the clock of a replay or test stack, moved deadline by deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from kefu.common.v1 import errors_pb2

from services.kit.clock import VirtualClock
from services.kit.db import Database
from services.kit.errors import FailedPrecondition
from services.kit.timers.dispatcher import Dispatcher

LOOK_SECONDS = 0.002

_MOVE = "UPDATE kefu_virtual_clock SET at = greatest(at, $1) RETURNING at"


class VirtualTime:
    """Moves a virtual stack's clock; `settle` returns once all published events are consumed."""

    def __init__(self, database: Database, dispatcher: Dispatcher, *, settle: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._settle = settle
        self._turn = asyncio.Lock()

    async def advance(self, to: datetime) -> tuple[datetime, int]:
        """Move to `to`, stopping at each deadline on the way to fire it and let its events be consumed.

        Returns the new instant and how many timers fired. An earlier `to` only settles. Raises FailedPrecondition
        CLOCK_NOT_VIRTUAL in a stack on real time.
        """
        clock = self._database.virtual
        if clock is None:
            raise FailedPrecondition(errors_pb2.ERROR_REASON_CLOCK_NOT_VIRTUAL)
        async with self._turn:
            total = 0
            await self._settle()
            while (due := await self._dispatcher.next_due()) is not None and due <= max(to, clock.now()):
                await self._move(clock, due)
                fired = await self._dispatcher.fire_due()
                if not fired:  # a command holds the timer at this moment
                    await asyncio.sleep(LOOK_SECONDS)
                total += fired
                await self._settle()
            await self._move(clock, to)
            return clock.now(), total

    async def _move(self, clock: VirtualClock, to: datetime) -> None:
        if to > clock.now():
            clock.move(await self._database.fetchval(_MOVE, to))
