"""SQL of unmask grants."""

from __future__ import annotations

from typing import Any, Final

from services.crm.domain.unmask import Grant
from services.crm.errors import not_found
from services.kit.db import Transaction

_INSERT: Final = """
INSERT INTO unmask_grants (site, grant_id, customer_id, state, requester, reason, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_COLUMNS: Final = "site, grant_id, customer_id, state, requester, decider, reason, expires_at"
_GET: Final = f"""
SELECT {_COLUMNS} FROM unmask_grants WHERE site = $1 AND customer_id = $2 AND grant_id = $3
"""
_PENDING: Final = f"""
SELECT {_COLUMNS} FROM unmask_grants WHERE site = $1 AND state = 'PENDING' AND grant_id > $2 ORDER BY grant_id LIMIT $3
"""
_DECIDE: Final = """
UPDATE unmask_grants SET state = $3, decider = $4, expires_at = $5 WHERE site = $1 AND grant_id = $2
"""


async def insert(tx: Transaction, grant: Grant) -> None:
    """Add a request."""
    await tx.execute(_INSERT, grant.site, grant.id, grant.customer, grant.state, grant.requester, grant.reason, tx.now)


async def get(tx: Transaction, site: str, customer: str, grant_id: str, *, lock: bool = False) -> Grant:
    """One request; `lock` makes others who decide it wait. Raises NotFound."""
    row = await tx.fetchrow(_GET + (" FOR UPDATE" if lock else ""), site, customer, grant_id)
    if row is None:
        raise not_found(f"sites/{site}/customers/{customer}/unmaskGrants/{grant_id}")
    return _grant(row)


async def pending(tx: Transaction, site: str, *, after: str, limit: int) -> list[Grant]:
    """Requests that wait for a decision, by id, which is by time."""
    return [_grant(row) for row in await tx.fetch(_PENDING, site, after, limit)]


async def decide(tx: Transaction, grant: Grant) -> None:
    """Write the decision on a locked request."""
    await tx.execute(_DECIDE, grant.site, grant.id, grant.state, grant.decider, grant.expires_at)


def _grant(row: Any) -> Grant:
    return Grant(
        site=row["site"],
        id=row["grant_id"],
        customer=row["customer_id"],
        state=row["state"],
        requester=row["requester"],
        reason=row["reason"],
        decider=row["decider"],
        expires_at=row["expires_at"],
    )
