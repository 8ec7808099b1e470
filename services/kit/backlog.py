"""What waits: the figures that say whether timers, events and parked work keep up. For metrics and `kefu doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.db import Database

_BACKLOG = """
SELECT (SELECT greatest(0, extract(epoch FROM kefu_now() - min(fire_at))) FROM kefu_timers)::float8,
       (SELECT extract(epoch FROM now() - min(created_at)) FROM kefu_outbox WHERE published_seq IS NULL)::float8,
       (SELECT count(*) FROM kefu_outbox WHERE published_seq IS NOT NULL),
       (SELECT count(*) FROM kefu_parked WHERE parked_at IS NOT NULL),
       (SELECT count(*) FROM kefu_audit WHERE link IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far one service is behind; all zero when nothing waits."""

    timer_overdue_seconds: float
    """Age past its deadline of the oldest timer that has not fired."""
    unpublished_seconds: float
    """Age of the oldest event that JetStream does not have yet."""
    unconsumed_events: int
    """Published events that some declared consumer has not passed yet."""
    parked: int
    """Items that failed five times and wait for a person."""
    unsealed_audit_rows: int
    """Audit rows that the hash chain does not cover yet."""


async def backlog(database: Database) -> Backlog:
    """Read the figures in one statement. Raises Unavailable when the database is away."""
    row = await database.fetchrow(_BACKLOG)
    assert row is not None
    return Backlog(*(value or 0 for value in row.values()))
