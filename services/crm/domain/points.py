"""The ledger of points. A transfer debits one account of a lot and credits another; a lot's accounts always add up.

ISSUED → PENDING → ACTIVE → SPENT, and from PENDING or ACTIVE to EXPIRED or REVERSED. Points that were spent already
cannot be reversed: the customer owes them, and the next points earned settle that first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

PENDING: Final = "PENDING"
ACTIVE: Final = "ACTIVE"
SPENT: Final = "SPENT"
EXPIRED: Final = "EXPIRED"
REVERSED: Final = "REVERSED"
ISSUED: Final = "ISSUED"


@dataclass(frozen=True, slots=True)
class Lot:
    """Points that came together; `issued` is the sum of the other accounts."""

    id: str
    customer: str
    cause: str
    reference: str
    issued: int
    active_at: datetime
    expires_at: datetime
    pending: int = 0
    active: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost or made up."""
        parts = (self.pending, self.active, self.spent, self.expired, self.reversed)
        return self.issued == sum(parts) and min(parts) >= 0

    @property
    def order(self) -> tuple[datetime, str]:
        """Earliest expiry first."""
        return self.expires_at, self.id


@dataclass(frozen=True, slots=True)
class Transfer:
    """Points from one account of a lot to another."""

    lot: str
    source: str
    target: str
    points: int


class TooFewError(ValueError):
    """Fewer points are active than were asked for."""

    def __init__(self, available: int) -> None:
        self.available = available
        super().__init__(f"{available} points are active")


def posted(lot: Lot, transfers: Iterable[Transfer]) -> Lot:
    """The lot after its transfers; raises ValueError when an account would fall below zero."""
    for one in transfers:
        changes = {one.target.lower(): getattr(lot, one.target.lower()) + one.points}
        if one.source != ISSUED:
            changes[one.source.lower()] = getattr(lot, one.source.lower()) - one.points
        lot = dataclasses.replace(lot, **changes)
    if not lot.balanced:
        raise ValueError(f"lot {lot.id} does not add up")
    return lot


def issue(lot: Lot, *, owed: int, now: datetime) -> tuple[list[Transfer], int]:
    """Bring a new lot into the ledger. Returns its transfers and what is still owed: debts are settled first."""
    home = ACTIVE if lot.active_at <= now else PENDING
    settled = min(owed, lot.issued)
    found = [Transfer(lot.id, ISSUED, home, lot.issued)]
    if settled:
        found.append(Transfer(lot.id, home, REVERSED, settled))
    return found, owed - settled


def due(lots: Iterable[Lot], now: datetime) -> list[Transfer]:
    """What time alone has moved: pending points that became active, and whatever expired."""
    found = []
    for lot in lots:
        if lot.expires_at <= now:
            found += [Transfer(lot.id, PENDING, EXPIRED, lot.pending)] if lot.pending else []
            found += [Transfer(lot.id, ACTIVE, EXPIRED, lot.active)] if lot.active else []
        elif lot.pending and lot.active_at <= now:
            found.append(Transfer(lot.id, PENDING, ACTIVE, lot.pending))
    return found


def redeem(lots: Sequence[Lot], points: int) -> list[Transfer]:
    """Spend active points, earliest expiry first; `due` was applied before. Raises TooFewError."""
    available = sum(lot.active for lot in lots)
    if available < points:
        raise TooFewError(available)
    found, left = [], points
    for lot in sorted(lots, key=lambda one: one.order):
        taken = min(lot.active, left)
        if taken:
            found.append(Transfer(lot.id, ACTIVE, SPENT, taken))
            left -= taken
    return found


def reverse(lots: Sequence[Lot], points: int, *, owing: int = 0) -> tuple[list[Transfer], int, int]:
    """Take points of returned goods back from the lots that they earned, pending ones first.

    Returns the transfers, what is owed because it was spent already (`owing` of that was claimed before), and what is
    gone because it expired. Whatever is left after these three was never earned.
    """
    found, left = [], points
    for source in (PENDING, ACTIVE):
        for lot in sorted(lots, key=lambda one: one.order, reverse=True):
            taken = min(getattr(lot, source.lower()), left)
            if taken:
                found.append(Transfer(lot.id, source, REVERSED, taken))
                left -= taken
    owed = min(left, max(0, sum(lot.spent for lot in lots) - owing))
    return found, owed, min(left - owed, sum(lot.expired for lot in lots))
