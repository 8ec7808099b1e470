"""SQL of merging files. Only who counts for whom changes; rows of the merged customer stay theirs."""

from __future__ import annotations

from typing import Final

from services.kit.db import Transaction

# Merges of a site one after the other: a circle can only come from two that do not see each other.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('crm.merge'), hashtext($1))"
_BELOW: Final = """
WITH RECURSIVE below AS (
    SELECT customer_id FROM customers WHERE site = $1 AND customer_id = $2
    UNION ALL
    SELECT c.customer_id FROM customers c JOIN below b ON c.merged_into = b.customer_id
    WHERE c.site = $1 AND c.merged_into IS NOT NULL
)
"""
_FOLLOW: Final = f"""
{_BELOW} UPDATE customers c SET root = $3 FROM below b
WHERE c.site = $1 AND c.customer_id = b.customer_id AND c.customer_id <> $2
"""
_ALL_BELOW: Final = f"{_BELOW} SELECT customer_id FROM below"
_NOTE: Final = """
INSERT INTO merges (site, customer_id, into_id, undone, actor, at) VALUES ($1, $2, $3, $4, $5, $6)
"""


async def one_at_a_time(tx: Transaction, site: str) -> None:
    """Wait until no other merge of the site is under way."""
    await tx.execute(_LOCK, site)


async def follow(tx: Transaction, site: str, customer_id: str, *, root: str) -> None:
    """Let everybody who was merged into the customer, directly or not, count for `root`."""
    await tx.execute(_FOLLOW, site, customer_id, root)


async def below(tx: Transaction, site: str, customer_id: str) -> list[str]:
    """The customer and everybody who was merged into them, directly or not."""
    return [row["customer_id"] for row in await tx.fetch(_ALL_BELOW, site, customer_id)]


async def note(tx: Transaction, site: str, customer_id: str, into: str, *, undone: bool, actor: str) -> None:
    """Keep who merged whom into whom, or took them out again."""
    await tx.execute(_NOTE, site, customer_id, into, undone, actor, tx.now)
