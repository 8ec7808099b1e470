"""Leased delivery: claim what is due, try it, note how it went, try again later and later, park after the last try.

The queue is a table of the service's own. A claim moves the next try past the time that a try can take, so that what a
courier who died had in hand is taken up by another; a receiver may therefore get a parcel twice and tells by its id.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from services.kit.errors import KefuError

# Seconds after each failed try; some 28 hours in all, then it is parked.
WAITS: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 75_600.0)
AT_A_TIME: Final = 20
POLL_SECONDS: Final = 1.0
TRY_SECONDS: Final = 10.0
LEASE_SECONDS: Final = 3 * TRY_SECONDS
_log: Final = logging.getLogger("kefu.outbound")


class Fate(enum.Enum):
    """How a try ended."""

    DELIVERED = enum.auto()
    FAILED = enum.auto()
    """Perhaps another time: nobody answered, or the answer says so."""
    BOUNCED = enum.auto()
    """Never: the receiver refuses this parcel or does not exist."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try: its fate, the receiver's status code if any, and the reason in words without personal data."""

    fate: Fate
    status: int | None = None
    error: str = ""


class Parcel(Protocol):
    """What can be claimed; `tries` counts the present one."""

    @property
    def id(self) -> str:
        """Its id, the same at every try."""
        ...

    @property
    def tries(self) -> int:
        """How often it was claimed since it was queued."""
        ...


P = TypeVar("P", bound=Parcel)
Send = Callable[[P], Awaitable[Outcome]]


class Table(Protocol[P]):
    """The queue."""

    async def claim(self, limit: int, lease_seconds: float) -> Sequence[P]:
        """Take what is due; each counts as one more try and comes back after the lease."""
        ...

    async def settle(self, parcel: P, outcome: Outcome, wait: float | None) -> None:
        """Note how a try went: delivered, bounced, due again after `wait` seconds, or parked where that is None."""
        ...


class Courier(Generic[P]):
    """Delivers for ever; any number of couriers share the table.

    `news` wakes it, for example after a commit; `count` is told how each try ended: delivered, retried, parked or
    bounced.
    """

    def __init__(
        self,
        table: Table[P],
        send: Send[P],
        count: Callable[[str], None],
        *,
        waits: Sequence[float] = WAITS,
    ) -> None:
        self._table = table
        self._send = send
        self._count = count
        self._waits = tuple(waits)
        self.news = asyncio.Event()

    async def run(self) -> None:
        """Deliver for ever; ends by cancellation."""
        while True:
            try:
                tried = await self.send_due()
            except KefuError as error:  # the database is away: parcels wait
                _log.warning("deliveries wait", extra={"reason": error.reason_name})
                tried = 0
            if not tried:
                await self._rest()

    async def send_due(self) -> int:
        """One round; how many were tried."""
        due = await self._table.claim(AT_A_TIME, LEASE_SECONDS)
        await asyncio.gather(*map(self._try, due))
        return len(due)

    async def _try(self, parcel: P) -> None:
        outcome = await self._send(parcel)
        again = outcome.fate is Fate.FAILED and parcel.tries <= len(self._waits)
        wait = self._waits[parcel.tries - 1] if again else None
        await self._table.settle(parcel, outcome, wait)
        self._count(_word(outcome.fate, again=again))

    async def _rest(self) -> None:
        self.news.clear()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self.news.wait()
        except TimeoutError:
            return


def _word(fate: Fate, *, again: bool) -> str:
    """The outcome's label: delivered, retried, parked or bounced."""
    if fate is Fate.FAILED:
        return "retried" if again else "parked"
    return "delivered" if fate is Fate.DELIVERED else "bounced"
