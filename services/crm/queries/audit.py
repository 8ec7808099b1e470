"""Does the ledger of points add up? Lots against themselves, and against every transfer ever posted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.kit.db import Database

_SECONDS: Final = 600.0
_AUDIT: Final = """
WITH posted AS (
    SELECT site, lot_id,
        coalesce(sum(points) FILTER (WHERE from_account = 'ISSUED'), 0) AS issued,
        coalesce(sum(points) FILTER (WHERE to_account = 'PENDING'), 0)
            - coalesce(sum(points) FILTER (WHERE from_account = 'PENDING'), 0) AS pending,
        coalesce(sum(points) FILTER (WHERE to_account = 'ACTIVE'), 0)
            - coalesce(sum(points) FILTER (WHERE from_account = 'ACTIVE'), 0) AS active,
        coalesce(sum(points) FILTER (WHERE to_account = 'SPENT'), 0) AS spent,
        coalesce(sum(points) FILTER (WHERE to_account = 'EXPIRED'), 0) AS expired,
        coalesce(sum(points) FILTER (WHERE to_account = 'REVERSED'), 0) AS reversed,
        count(*) AS transfers
    FROM point_entries WHERE $1 = '' OR site = $1 GROUP BY site, lot_id
)
SELECT site, sum(l.issued)::bigint AS issued, sum(l.pending)::bigint AS pending, sum(l.active)::bigint AS active,
    sum(l.spent)::bigint AS spent, sum(l.expired)::bigint AS expired, sum(l.reversed)::bigint AS reversed,
    coalesce(sum(p.transfers), 0)::bigint AS transfers,
    count(*) FILTER (WHERE (l.issued, l.pending, l.active, l.spent, l.expired, l.reversed) IS DISTINCT FROM
        (p.issued, p.pending, p.active, p.spent, p.expired, p.reversed)) AS lots_off
FROM (SELECT * FROM point_lots WHERE $1 = '' OR site = $1) AS l FULL JOIN posted p USING (site, lot_id)
GROUP BY site ORDER BY site
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A site's points by where they are. `lots_off` are lots whose transfers say otherwise."""

    site: str
    issued: int
    pending: int
    active: int
    spent: int
    expired: int
    reversed: int
    transfers: int
    lots_off: int

    @property
    def balanced(self) -> bool:
        """Whether no point was lost or made up."""
        parts = self.pending + self.active + self.spent + self.expired + self.reversed
        return self.issued == parts and not self.lots_off


async def audit(database: Database, site: str = "") -> list[Account]:
    """Every site's account, or one site's; reads one snapshot of the whole ledger."""
    async with database.transaction(read_only=True) as tx:
        # longer than a statement of an answer may take: this reads everything
        rows = await tx.connection.fetch(_AUDIT, site, timeout=_SECONDS)
    # sums over transfers whose lots are missing are null
    return [Account(row["site"], *((figure or 0) for figure in list(row)[1:])) for row in rows]
