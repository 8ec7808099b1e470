"""A site as the router sees it: who waits, who is free, how many customers are online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.intake.domain.clock_board import Board
from services.intake.domain.routing import Agent
from services.intake.store import rows
from services.kit.db import Transaction

_ENTER: Final = "INSERT INTO site_states (site) VALUES ($1) ON CONFLICT (site) DO NOTHING"
_HOLD: Final = "SELECT surge, customers_online FROM site_states WHERE site = $1 FOR UPDATE"
_ONLINE: Final = """
SELECT count(*) FROM conversations
WHERE site = $1 AND state NOT IN ('CLOSED', 'ABANDONED', 'REDIRECTED', 'AWAITING_RATING')
"""
# Versions were microseconds of the clock once: the counter goes on above those, and never stands still.
_NOTE: Final = """
UPDATE site_states
SET surge = $2, customers_online = $3, changed_at = $4,
    version = greatest(version + 1, (extract(epoch FROM $4::timestamptz) * 1000000)::bigint)
WHERE site = $1
RETURNING version
"""
_FREE: Final = """
SELECT person, capacity, load, idle_since, skills, certified FROM agents
WHERE site = $1 AND active AND presence = 'AVAILABLE' AND load < capacity
ORDER BY person
FOR UPDATE
"""
_WAITING: Final = """
SELECT id, state, queue, queued_at, tier, clocks, accountable_owner, refused FROM conversations
WHERE site = $1 AND (state IN ('QUEUED', 'REOPENED') OR (state = 'HANDOFF_PENDING' AND assignee = ''))
  AND queue <> ALL ($2::text[])
ORDER BY queued_at
LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Held:
    """The site while its work is given out."""

    surge: bool
    customers_online: int


@dataclass(frozen=True, slots=True)
class InLine:
    """A waiting conversation, as much of it as routing reads."""

    id: str
    state: str
    queue: str
    queued_at: datetime
    tier: str
    clocks: Board
    owner: str
    refused: frozenset[str]


async def hold(tx: Transaction, site: str) -> Held:
    """Wait until nobody else gives out this site's work, and keep it so until the transaction ends."""
    row = await tx.fetchrow(_HOLD, site)
    if row is None:  # its first pass
        await tx.execute(_ENTER, site)
        row = await tx.fetchrow(_HOLD, site)
        assert row is not None
    return Held(row["surge"], row["customers_online"])


async def online(tx: Transaction, site: str) -> int:
    """Return how many customers are waiting or being served."""
    return int(await tx.fetchval(_ONLINE, site))


async def note(tx: Transaction, site: str, *, surge: bool, customers_online: int) -> int:
    """Record how the site stands; returns the version of this state. The site must be held."""
    return int(await tx.fetchval(_NOTE, site, surge, customers_online, tx.now))


async def free(tx: Transaction, site: str) -> Sequence[Agent]:
    """Lock and return the people who take work now."""
    return [
        Agent(
            person=row["person"],
            capacity=row["capacity"],
            load=row["load"],
            idle_since=row["idle_since"],
            skills=frozenset(row["skills"]),
            certified=row["certified"],
        )
        for row in await tx.fetch(_FREE, site)
    ]


async def waiting(tx: Transaction, site: str, *, without: Sequence[str], at_most: int) -> Sequence[InLine]:
    """Return who waits, longest first, leaving out the queues `without`."""
    return [
        InLine(
            id=row["id"],
            state=row["state"],
            queue=row["queue"],
            queued_at=row["queued_at"],
            tier=row["tier"],
            clocks=rows.board(row["clocks"]),
            owner=row["accountable_owner"],
            refused=frozenset(row["refused"]),
        )
        for row in await tx.fetch(_WAITING, site, without, at_most)
    ]
