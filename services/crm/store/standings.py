"""SQL of tiers: what they are judged by, who has which, and every move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from services.crm.domain.tiers import Measures, Move, Standing
from services.kit.db import Transaction

# {days}: whose; {windows}: for each window its spending, orders and active days; the recency knows no window.
_MEASURES: Final = """
SELECT {who} AS root, {windows}, coalesce($2::date - max(day) FILTER (WHERE orders > 0), -1) AS recency
FROM {days}
WHERE d.site = $1 {where} GROUP BY 1
"""
# OFFSET 0 keeps the planner from reading everybody's days for a thousand files.
_DAYS_OF: Final = """
{files} AS f (id, root)
CROSS JOIN LATERAL (SELECT * FROM customer_days WHERE site = $1 AND customer_id = f.id OFFSET 0) d
"""
_WINDOW: Final = (
    "greatest(0, coalesce(sum(spend_fen) FILTER (WHERE day > ${at}), 0))::bigint,"
    " coalesce(sum(orders) FILTER (WHERE day > ${at}), 0)::int,"
    " (count(*) FILTER (WHERE day > ${at} AND (orders > 0 OR visits > 0)))::int"
)
_GET: Final = """
SELECT customer_id, tier, grace_until, since, version FROM standings WHERE site = $1 AND customer_id = ANY ($2::text[])
"""
_RANGE: Final = """
SELECT customer_id, tier, grace_until, since, version FROM standings
WHERE site = $1 AND customer_id > $2 AND ($3 = '' OR customer_id <= $3)
"""
_END_OF_PAGE: Final = """
SELECT customer_id FROM customers WHERE site = $1 AND customer_id > $2 ORDER BY customer_id OFFSET $3 LIMIT 1
"""
_PUT: Final = """
INSERT INTO standings AS s (site, customer_id, tier, since, grace_until, version)
SELECT $1, c, t, $6, g, v FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[]) AS m (c, t, g, v)
ORDER BY c
ON CONFLICT (site, customer_id) DO UPDATE SET tier = excluded.tier, grace_until = excluded.grace_until,
    since = CASE WHEN s.tier = excluded.tier THEN s.since ELSE excluded.since END,
    version = excluded.version
"""
_MOVES: Final = """
INSERT INTO tier_moves (site, customer_id, at, from_tier, to_tier, cause, spend_fen, orders, active_days,
    recency_days, profile_version)
SELECT $1, c, $2, f, t, k, s, o, a, r, $3
FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::int[], $10::int[], $11::int[])
    AS m (c, f, t, k, s, o, a, r)
"""
_PAGE: Final = """
SELECT number, at, from_tier, to_tier, cause, spend_fen, orders, active_days, recency_days,
    profile_version FROM tier_moves
WHERE site = $1 AND customer_id = ANY ($2::text[]) AND number < $3 ORDER BY number DESC LIMIT $4
"""
_SIZES: Final = """
SELECT coalesce(s.tier, $2) AS tier, count(*) AS customers
FROM customers c LEFT JOIN standings s ON s.site = c.site AND s.customer_id = c.customer_id
WHERE c.site = $1 AND c.state IN ('ACTIVE', 'STALE') GROUP BY 1
"""
_PREFERENCES: Final = """
WITH theirs AS (
    SELECT c.root, coalesce(s.tier, $2) AS tier, c.interests, c.preferred_channels, c.region
    FROM customers c LEFT JOIN standings s ON s.site = c.site AND s.customer_id = c.root
    WHERE c.site = $1 AND c.state <> 'ERASED'
), said AS (
    SELECT tier, 'INTEREST' AS kind, unnest(interests) AS value, root FROM theirs
    UNION ALL SELECT tier, 'CHANNEL', unnest(preferred_channels), root FROM theirs
    UNION ALL SELECT tier, 'REGION', region, root FROM theirs WHERE region <> ''
), counted AS (
    SELECT tier, kind, value, count(DISTINCT root) AS customers,
        row_number() OVER (PARTITION BY tier, kind ORDER BY count(DISTINCT root) DESC, value) AS place
    FROM said GROUP BY tier, kind, value
)
SELECT tier, kind, value, customers FROM counted WHERE place <= 20 ORDER BY tier, kind, place
"""
_COUNTS: Final = """
SELECT from_tier, to_tier, cause, count(*) AS moves FROM tier_moves
WHERE site = $1 AND at >= $2 AND ($3::timestamptz IS NULL OR at < $3)
GROUP BY from_tier, to_tier, cause ORDER BY moves DESC, from_tier, to_tier, cause
"""
_CUTOFFS: Final = "SELECT tier, spend_fen FROM tier_cutoffs WHERE site = $1"
_PUT_CUTOFF: Final = """
INSERT INTO tier_cutoffs (site, tier, spend_fen, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, tier) DO UPDATE SET spend_fen = excluded.spend_fen, at = excluded.at
"""
_SPENDS: Final = """
SELECT sum(spend_fen)::bigint AS spend FROM customer_days d
LEFT JOIN customers m ON m.site = d.site AND m.customer_id = d.customer_id AND m.merged_into IS NOT NULL
WHERE d.site = $1 AND day > $2 GROUP BY coalesce(m.root, d.customer_id) HAVING sum(spend_fen) > 0
"""
_ADD_DAYS: Final = """
INSERT INTO customer_days AS d (site, customer_id, day, spend_fen, orders, visits)
SELECT $1, c, y, s, o, v FROM unnest($2::text[], $3::date[], $4::bigint[], $5::int[], $6::int[]) AS n (c, y, s, o, v)
ORDER BY c, y
ON CONFLICT (site, customer_id, day) DO UPDATE SET spend_fen = d.spend_fen + excluded.spend_fen,
    orders = d.orders + excluded.orders, visits = d.visits + excluded.visits
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A tier as it is stored; `version` orders what is told of it."""

    standing: Standing
    since: datetime
    version: int


def _query(windows: int, *, who: str, days: str, where: str = "") -> str:
    columns = ", ".join(_WINDOW.format(at=3 + one) for one in range(windows)) or "0"
    return _MEASURES.format(who=who, windows=columns, days=days, where=where)


async def measures(
    tx: Transaction, site: str, files: Mapping[str, str], *, today: date, windows: Sequence[date]
) -> dict[str, list[Measures]]:
    """What the files' owners are judged by, one entry per window; `files` maps a file to whom it counts for.

    `windows` are the last days outside of each window.
    """
    at = 3 + len(windows)
    query = _query(
        len(windows),
        who="f.root",
        days=_DAYS_OF.format(files=f"unnest(${at}::text[], ${at + 1}::text[])"),
    )
    rows = await tx.fetch(query, site, today, *windows, list(files), list(files.values()))
    found = {row[0]: of_row(row, len(windows)) for row in rows}
    return {root: found.get(root, [Measures()] * max(1, len(windows))) for root in files.values()}


def of_row(row: Any, windows: int) -> list[Measures]:
    """A row of measures: the owner, three figures per window, the recency."""
    recency = row[-1]
    return [Measures(row[1 + 3 * at], row[2 + 3 * at], row[3 + 3 * at], recency) for at in range(windows)]


async def page_of_days(
    tx: Transaction, site: str, *, after: str, upto: str, today: date, windows: Sequence[date]
) -> list[Any]:
    """Rows of measures (see `of_row`) of a range of customers, each file by itself."""
    at = 3 + len(windows)
    query = _query(
        len(windows),
        who="d.customer_id",
        days="customer_days d",
        where=f"AND d.customer_id > ${at} AND (${at + 1} = '' OR d.customer_id <= ${at + 1})",
    )
    return await tx.fetch(query, site, today, *windows, after, upto)


async def end_of_page(tx: Transaction, site: str, *, after: str, customers: int) -> str:
    """The id that ends a page of so many customers; empty where there are no more."""
    return await tx.fetchval(_END_OF_PAGE, site, after, customers - 1) or ""


async def held(tx: Transaction, site: str, customers: Sequence[str]) -> dict[str, Held]:
    """Tiers of these customers; those never judged away from the default are left out."""
    rows = await tx.fetch(_GET, site, list(customers))
    return {row["customer_id"]: _held(row) for row in rows}


async def held_between(tx: Transaction, site: str, *, after: str, upto: str) -> dict[str, Held]:
    """As `held` for a range of customers; an empty `upto` means to the end."""
    return {row["customer_id"]: _held(row) for row in await tx.fetch(_RANGE, site, after, upto)}


async def put(
    tx: Transaction, site: str, moves: Mapping[str, Move], *, versions: Mapping[str, int], profile_version: str
) -> None:
    """Write moves: the standing after each, and the move with its reason."""
    if not moves:
        return
    found = list(moves.values())
    tiers, grace = [move.after.tier for move in found], [move.after.grace_until for move in found]
    await tx.execute(_PUT, site, list(moves), tiers, grace, [versions[one] for one in moves], tx.now)
    await tx.execute(
        _MOVES,
        site,
        tx.now,
        profile_version,
        list(moves),
        [move.before for move in found],
        tiers,
        [move.cause for move in found],
        [move.measures.spend_fen for move in found],
        [move.measures.orders for move in found],
        [move.measures.active_days for move in found],
        [move.measures.recency_days for move in found],
    )


async def page(tx: Transaction, site: str, customers: Sequence[str], *, before: int, limit: int) -> list[Any]:
    """Moves of these files, latest first: rows of tier_moves."""
    return await tx.fetch(_PAGE, site, list(customers), before, limit)


async def sizes(tx: Transaction, site: str, default: str) -> dict[str, int]:
    """How many customers have which tier; merged and erased ones are not counted."""
    return {row["tier"]: row["customers"] for row in await tx.fetch(_SIZES, site, default)}


async def counts(tx: Transaction, site: str, since: datetime, until: datetime | None = None) -> list[Any]:
    """Moves from one instant until before another, by kind: rows of from_tier, to_tier, cause, moves."""
    return await tx.fetch(_COUNTS, site, since, until)


async def preferences(tx: Transaction, site: str, default: str) -> list[Any]:
    """What customers of each tier like, most frequent first: rows of tier, kind, value, customers."""
    return await tx.fetch(_PREFERENCES, site, default)


async def cutoffs(tx: Transaction, site: str) -> dict[str, int]:
    """Least spending of each tier's top share, fen."""
    return {row["tier"]: row["spend_fen"] for row in await tx.fetch(_CUTOFFS, site)}


async def put_cutoff(tx: Transaction, site: str, tier: str, spend_fen: int) -> None:
    """Keep a cut-off."""
    await tx.execute(_PUT_CUTOFF, site, tier, spend_fen, tx.now)


async def spends(tx: Transaction, site: str, window: date) -> list[int]:
    """What each buyer of a window spent, fen."""
    return [row["spend"] for row in await tx.fetch(_SPENDS, site, window)]


async def add_days(tx: Transaction, site: str, changes: Mapping[tuple[str, date], tuple[int, int, int]]) -> None:
    """Add spending (fen), orders and visits to customers' days."""
    if not changes:
        return
    customers, days = zip(*changes, strict=True)
    spend, orders, visits = zip(*changes.values(), strict=True)
    await tx.execute(_ADD_DAYS, site, list(customers), list(days), list(spend), list(orders), list(visits))


def _held(row: Any) -> Held:
    return Held(Standing(row["tier"], row["grace_until"]), row["since"], row["version"])
