"""SQL of lifecycles: where each buyer stood at the last judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.crm.domain.churn import Lifecycle, Standing
from services.kit.db import Transaction

_BEFORE: Final = "SELECT customer, lifecycle FROM lifecycles WHERE site = $1 AND customer = ANY ($2::text[])"
_PUT: Final = """
INSERT INTO lifecycles AS l (site, customer, lifecycle, by_rule, judge, silent_d, p_alive, since)
SELECT $1, c, y, r, j, s, p, $8
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::float8[]) AS n (c, y, r, j, s, p)
ORDER BY c
ON CONFLICT (site, customer) DO UPDATE SET lifecycle = excluded.lifecycle, by_rule = excluded.by_rule,
    judge = excluded.judge, silent_d = excluded.silent_d, p_alive = excluded.p_alive,
    since = CASE WHEN l.lifecycle = excluded.lifecycle THEN l.since ELSE excluded.since END
"""


async def put(tx: Transaction, site: str, found: Mapping[str, Standing]) -> dict[str, Lifecycle | None]:
    """Write judgements; returns where each customer stood before, None for the first time."""
    ids = list(found)
    rows = await tx.fetch(_BEFORE, site, ids)
    before = {row["customer"]: Lifecycle(row["lifecycle"]) for row in rows}
    columns = [
        (str(one.lifecycle), str(one.by_rule), str(one.judge), int(one.silent_d), one.p_alive) for one in found.values()
    ]
    await tx.execute(_PUT, site, ids, *(list(column) for column in zip(*columns, strict=True)), tx.now)
    return {one: before.get(one) for one in ids}


async def of(tx: Transaction, site: str, customers: Sequence[str]) -> dict[str, Lifecycle]:
    """Where these stand; whoever never bought is left out."""
    rows = await tx.fetch(_BEFORE, site, list(customers))
    return {row["customer"]: Lifecycle(row["lifecycle"]) for row in rows}
