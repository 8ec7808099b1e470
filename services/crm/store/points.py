"""SQL of the ledger. Whoever changes lots locks the accounts first, then the lots, each by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.crm.domain.points import Lot, Transfer
from services.kit.db import Database, Transaction

_COLUMNS: Final = (
    "lot_id, customer_id, cause, reference, issued, active_at, expires_at, pending, active, spent, expired, reversed"
)
# The update changes nothing; it locks what is there.
_LOCK: Final = """
INSERT INTO point_accounts AS a (site, customer_id) SELECT $1, c FROM unnest($2::text[]) AS c ORDER BY c
ON CONFLICT (site, customer_id) DO UPDATE SET owed = a.owed RETURNING customer_id, owed
"""
_OWED: Final = """
SELECT coalesce(sum(owed), 0)::bigint FROM point_accounts WHERE site = $1 AND customer_id = ANY ($2::text[])
"""
_PUT_OWED: Final = """
UPDATE point_accounts a SET owed = n.owed FROM unnest($2::text[], $3::bigint[]) AS n (c, owed)
WHERE a.site = $1 AND a.customer_id = n.c
"""
_OPEN: Final = f"""
SELECT {_COLUMNS} FROM point_lots WHERE site = $1 AND customer_id = ANY ($2::text[]) AND pending + active > 0
ORDER BY lot_id
"""
_PURCHASES: Final = f"""
SELECT {_COLUMNS} FROM point_lots WHERE site = $1 AND customer_id = ANY ($2::text[]) AND cause = 'PURCHASE'
    AND ($3::text[] IS NULL OR reference = ANY ($3::text[])) ORDER BY lot_id
"""
_DUE: Final = f"""
SELECT site, {_COLUMNS} FROM point_lots
WHERE pending + active > 0 AND (expires_at <= $1 OR pending > 0 AND active_at <= $1)
ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_NEW: Final = f"""
INSERT INTO point_lots (site, {_COLUMNS})
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[],
    $8::timestamptz[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
"""
_GRANTED: Final = """
SELECT true FROM point_lots WHERE site = $1 AND customer_id = $2 AND cause = $3 AND reference = $4
"""
_PUT: Final = """
UPDATE point_lots l SET pending = n.p, active = n.a, spent = n.s, expired = n.e, reversed = n.r
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS n (lot, p, a, s, e, r)
WHERE l.site = $1 AND l.lot_id = n.lot
"""
_ENTRIES: Final = """
INSERT INTO point_entries (site, customer_id, lot_id, from_account, to_account, points, cause, reference, actor, at)
SELECT $1, c, l, f, t, p, k, r, $9, $10
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
    AS n (c, l, f, t, p, k, r)
"""
_LIABILITY: Final = """
SELECT site, sum(active)::bigint AS active, sum(pending)::bigint AS pending FROM point_lots
WHERE pending + active > 0 GROUP BY site
"""
_PAGE: Final = """
SELECT number, at, from_account, to_account, points, cause, reference, lot_id FROM point_entries
WHERE site = $1 AND customer_id = ANY ($2::text[]) AND number < $3 ORDER BY number DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """A transfer of a customer's lot with why it was made."""

    customer: str
    transfer: Transfer
    cause: str
    reference: str


async def lock_accounts(tx: Transaction, site: str, customers: Sequence[str]) -> dict[str, int]:
    """Lock customers' accounts; returns what each owes."""
    return {row["customer_id"]: row["owed"] for row in await tx.fetch(_LOCK, site, list(customers))}


async def owed(tx: Transaction, site: str, customers: Sequence[str]) -> int:
    """What these files owe together."""
    return int(await tx.fetchval(_OWED, site, list(customers)))


async def put_owed(tx: Transaction, site: str, found: Mapping[str, int]) -> None:
    """Write what locked accounts owe."""
    if found:
        await tx.execute(_PUT_OWED, site, list(found), list(found.values()))


async def open_lots(tx: Transaction, site: str, customers: Sequence[str], *, lock: bool = False) -> list[Lot]:
    """Lots that have points left."""
    rows = await tx.fetch(_OPEN + (" FOR UPDATE" if lock else ""), site, list(customers))
    return [Lot(**row) for row in map(_named, rows)]


async def purchase_lots(
    tx: Transaction, site: str, customers: Sequence[str], references: Sequence[str] | None
) -> list[Lot]:
    """Lots that purchases earned, locked: of these orders, or all."""
    rows = await tx.fetch(_PURCHASES + " FOR UPDATE", site, list(customers), references)
    return [Lot(**row) for row in map(_named, rows)]


async def due_lots(tx: Transaction, *, limit: int) -> list[tuple[str, Lot]]:
    """Lots of every site that time alone has moved, with their site, locked; what others hold is left for later."""
    rows = await tx.fetch(_DUE, tx.now, limit)
    return [(row["site"], Lot(**_named(row))) for row in rows]


async def granted(tx: Transaction, site: str, customer: str, cause: str, reference: str) -> bool:
    """Whether points were given for this already; the account is locked, so nobody gives them meanwhile."""
    return bool(await tx.fetchval(_GRANTED, site, customer, cause, reference))


async def insert_lots(tx: Transaction, site: str, lots: Sequence[Lot]) -> None:
    """Add lots as they stand."""
    if not lots:
        return
    await tx.execute(
        _NEW,
        site,
        [lot.id for lot in lots],
        [lot.customer for lot in lots],
        [lot.cause for lot in lots],
        [lot.reference for lot in lots],
        [lot.issued for lot in lots],
        [lot.active_at for lot in lots],
        [lot.expires_at for lot in lots],
        *_accounts(lots),
    )


async def put_lots(tx: Transaction, site: str, lots: Sequence[Lot]) -> None:
    """Write locked lots back."""
    if lots:
        await tx.execute(_PUT, site, [lot.id for lot in lots], *_accounts(lots))


async def note(tx: Transaction, site: str, postings: Sequence[Posting], *, actor: str) -> None:
    """Write transfers into the ledger."""
    if not postings:
        return
    await tx.execute(
        _ENTRIES,
        site,
        [one.customer for one in postings],
        [one.transfer.lot for one in postings],
        [one.transfer.source for one in postings],
        [one.transfer.target for one in postings],
        [one.transfer.points for one in postings],
        [one.cause for one in postings],
        [one.reference for one in postings],
        actor,
        tx.now,
    )


async def page(tx: Transaction, site: str, customers: Sequence[str], *, before: int, limit: int) -> list[Any]:
    """Transfers of these files, latest first: rows of point_entries."""
    return await tx.fetch(_PAGE, site, list(customers), before, limit)


async def liability(database: Database) -> dict[str, tuple[int, int]]:
    """Active and pending points by site."""
    return {row["site"]: (row["active"], row["pending"]) for row in await database.fetch(_LIABILITY)}


def _accounts(lots: Sequence[Lot]) -> tuple[list[int], ...]:
    return (
        [lot.pending for lot in lots],
        [lot.active for lot in lots],
        [lot.spent for lot in lots],
        [lot.expired for lot in lots],
        [lot.reversed for lot in lots],
    )


def _named(row: Any) -> dict[str, Any]:
    found = dict(row)
    found.pop("site", None)
    return found | {"id": found.pop("lot_id"), "customer": found.pop("customer_id")}
