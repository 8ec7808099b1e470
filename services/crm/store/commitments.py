"""SQL of commitments."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.crm.domain.commitment import Commitment, Kept
from services.crm.errors import not_found
from services.kit.db import Transaction

_COLUMNS: Final = "site, id, customer, owner, conversation, state, made_at, due_at, ended_at"
_INSERT: Final = f"INSERT INTO commitments ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_GET: Final = f"SELECT {_COLUMNS} FROM commitments WHERE site = $1 AND id = $2 FOR UPDATE"
_END: Final = "UPDATE commitments SET state = $3, ended_at = $4 WHERE site = $1 AND id = $2"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM commitments
WHERE site = $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR owner = $3) AND (due_at, id) > ($4, $5)
ORDER BY due_at, id LIMIT $6
"""
_REPORT: Final = """
SELECT owner, count(*) FILTER (WHERE state = 'KEPT') AS kept, count(*) FILTER (WHERE state = 'BROKEN') AS broken,
    count(*) FILTER (WHERE state = 'OPEN') AS open
FROM commitments WHERE site = $1 AND due_at >= $2 AND due_at < $3 GROUP BY owner ORDER BY owner
"""


async def insert(tx: Transaction, one: Commitment) -> None:
    """Add one."""
    times = (one.made_at, one.due_at, one.ended_at)
    await tx.execute(_INSERT, one.site, one.id, one.customer, one.owner, one.conversation, one.state, *times)


async def get(tx: Transaction, site: str, id_: str) -> Commitment:
    """One, locked. Raises NotFound."""
    row = await tx.fetchrow(_GET, site, id_)
    if row is None:
        raise not_found(f"sites/{site}/commitments/{id_}")
    return Commitment(**row)


async def end(tx: Transaction, one: Commitment) -> None:
    """Write the end of a locked one."""
    await tx.execute(_END, one.site, one.id, one.state, one.ended_at)


async def page(
    tx: Transaction, site: str, *, state: str, owner: str, after: tuple[datetime, str], limit: int
) -> list[Commitment]:
    """By due time after a position; empty `state` and `owner` are all."""
    rows: list[Any] = await tx.fetch(_PAGE, site, state, owner, *after, limit)
    return [Commitment(**row) for row in rows]


async def report(tx: Transaction, site: str, since: datetime, until: datetime) -> list[Kept]:
    """What was due in a period, by owner."""
    return [Kept(**row) for row in await tx.fetch(_REPORT, site, since, until)]
