"""SQL of what happened with a customer: our own tables and what neighbours told, in one order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.kit.db import Transaction

_PARTS: Final = (
    """SELECT 'ORDER' AS kind, first_at AS at, source || ':' || order_id AS object, sales_fen::text AS detail
       FROM orders WHERE {mine} AND first_at IS NOT NULL""",
    """SELECT 'RETURN' AS kind, returned_at AS at, source || ':' || order_id AS object, returned_fen::text AS detail
       FROM orders WHERE {mine} AND returned_at IS NOT NULL""",
    """SELECT 'TIER' AS kind, at, cause || ':' || number AS object, from_tier || ' → ' || to_tier AS detail
       FROM tier_moves WHERE {mine}""",
    """SELECT 'CONSENT' AS kind, at, purpose || ':' || channel || ':' || number AS object,
              CASE WHEN granted THEN 'GRANTED' ELSE 'WITHDRAWN' END AS detail
       FROM consent_history WHERE {mine}""",
    "SELECT kind, at, object, detail FROM timeline WHERE {mine}",
)
_MINE: Final = "site = $1 AND customer_id = ANY ($2::text[])"
_EVERYTHING: Final = " UNION ALL ".join(part.format(mine=_MINE) for part in _PARTS)
_PAGE: Final = f"""
SELECT kind, at, object, detail FROM ({_EVERYTHING}) AS everything
WHERE (at, kind, object) < ($3, $4, $5) ORDER BY at DESC, kind DESC, object DESC LIMIT $6
"""
_NOTE: Final = """
INSERT INTO timeline AS t (site, customer_id, at, kind, object, detail) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (site, customer_id, object, kind) DO UPDATE SET at = excluded.at, detail = excluded.detail
WHERE t.at <= excluded.at
"""
_CUSTOMER: Final = """
SELECT customer_id FROM timeline WHERE site = $1 AND object = $2 AND kind = 'CONVERSATION'
"""


async def page(
    tx: Transaction, site: str, customers: Sequence[str], *, before: tuple[datetime, str, str], limit: int
) -> list[Any]:
    """What happened with these files before a position, latest first: rows of kind, at, object, detail."""
    return await tx.fetch(_PAGE, site, list(customers), *before, limit)


async def note(
    tx: Transaction, site: str, customer_id: str, *, at: datetime, kind: str, object_: str, detail: str
) -> None:
    """Keep what a neighbour told of a customer; later news of the same object replace earlier ones."""
    await tx.execute(_NOTE, site, customer_id, at, kind, object_, detail)


async def customer_of(tx: Transaction, site: str, conversation: str) -> str | None:
    """Whose conversation it was; None where nobody was known."""
    found: str | None = await tx.fetchval(_CUSTOMER, site, conversation)
    return found
