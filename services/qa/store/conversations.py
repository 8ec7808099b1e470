"""SQL of what intake and staffing tell: conversations that go on, and people."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.kit.db import Transaction

# A replay may begin in the middle of a conversation, so each event may add the row.
_MOVED: Final = """
INSERT INTO conversations AS c (site, subject, channel, queue, customer, started_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (site, subject) DO UPDATE SET channel = excluded.channel, queue = excluded.queue,
    customer = CASE WHEN excluded.customer <> '' THEN excluded.customer ELSE c.customer END
RETURNING person, channel, queue, customer, started_at
"""
_SERVED: Final = """
INSERT INTO conversations (site, subject, person, started_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, subject) DO UPDATE SET person = excluded.person
"""
# Sign of risk → how it is kept.
_SIGNS: Final = {
    "rating": "UPDATE conversations SET rating = $3 WHERE site = $1 AND subject = $2",
    "breached": "UPDATE conversations SET breached = $3 WHERE site = $1 AND subject = $2",
    "transferred": "UPDATE conversations SET transferred = $3 WHERE site = $1 AND subject = $2",
    "harassed": "UPDATE conversations SET harassed = $3 WHERE site = $1 AND subject = $2",
}
_PERSON: Final = """
INSERT INTO people AS p (site, person, active, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, person) DO UPDATE SET active = excluded.active, version = excluded.version
WHERE p.version < excluded.version
"""


async def moved(
    tx: Transaction, site: str, subject: str, *, channel: str, queue: str, customer: str, at: datetime
) -> Any:
    """Note where a conversation is; returns what is known of it."""
    return await tx.fetchrow(_MOVED, site, subject, channel, queue, customer, at)


async def served(tx: Transaction, site: str, subject: str, person: str, at: datetime) -> None:
    """Note who serves; the last one who accepted counts."""
    await tx.execute(_SERVED, site, subject, person, at)


async def sign(tx: Transaction, site: str, subject: str, sign: str, value: int | bool) -> None:
    """Note what makes a conversation worth a closer look: rating, breached, transferred or harassed."""
    await tx.execute(_SIGNS[sign], site, subject, value)


async def put_person(tx: Transaction, site: str, person: str, *, active: bool, version: int) -> None:
    """Note whether a person works here; an older event never undoes a newer one."""
    await tx.execute(_PERSON, site, person, active, version)
