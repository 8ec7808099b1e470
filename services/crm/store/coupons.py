"""SQL of coupons and memberships."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.crm.domain.coupon import Coupon
from services.crm.errors import not_found
from services.kit.db import Transaction

_COLUMNS: Final = "site, coupon_id, customer_id, state, value_fen, cause, reference, expires_at, used_for"
_INSERT: Final = f"""
INSERT INTO coupons ({_COLUMNS}, issued_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (site, customer_id, cause, reference) DO NOTHING RETURNING true
"""
_OF: Final = f"""
SELECT {_COLUMNS} FROM coupons WHERE site = $1 AND customer_id = $2 AND cause = $3 AND reference = $4
"""
_GET: Final = f"SELECT {_COLUMNS} FROM coupons WHERE site = $1 AND coupon_id = $2 FOR UPDATE"
_END: Final = "UPDATE coupons SET state = $3, used_for = $4, ended_at = $5 WHERE site = $1 AND coupon_id = $2"
_EXPIRE: Final = """
UPDATE coupons SET state = 'EXPIRED', ended_at = $1 WHERE (site, coupon_id) IN (
    SELECT site, coupon_id FROM coupons WHERE state = 'ISSUED' AND expires_at <= $1
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
_PAGE: Final = f"""
SELECT {_COLUMNS}, issued_at FROM coupons
WHERE site = $1 AND customer_id = ANY ($2::text[]) AND (issued_at, coupon_id) < ($3, $4)
ORDER BY issued_at DESC, coupon_id DESC LIMIT $5
"""
_JOIN: Final = """
INSERT INTO memberships AS m (site, customer_id, level, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, customer_id) DO UPDATE SET level = excluded.level, since = excluded.since
WHERE m.level <> excluded.level
"""
_MEMBER: Final = "SELECT level, since FROM memberships WHERE site = $1 AND customer_id = $2"


async def insert(tx: Transaction, coupon: Coupon) -> Coupon:
    """Add a coupon; returns the one that is there for the same customer, cause and reference."""
    given = (coupon.site, coupon.id, coupon.customer, coupon.state, coupon.value_fen, coupon.cause, coupon.reference)
    if await tx.fetchval(_INSERT, *given, coupon.expires_at, coupon.used_for, tx.now):
        return coupon
    row = await tx.fetchrow(_OF, coupon.site, coupon.customer, coupon.cause, coupon.reference)
    return _coupon(row)


async def get(tx: Transaction, site: str, coupon_id: str) -> Coupon:
    """One coupon, locked. Raises NotFound."""
    row = await tx.fetchrow(_GET, site, coupon_id)
    if row is None:
        raise not_found(f"sites/{site}/coupons/{coupon_id}")
    return _coupon(row)


async def end(tx: Transaction, coupon: Coupon) -> None:
    """Write the end of a locked coupon."""
    await tx.execute(_END, coupon.site, coupon.id, coupon.state, coupon.used_for, tx.now)


async def expire(tx: Transaction, *, limit: int) -> int:
    """Expire what ran out, at every site; returns how many."""
    return int((await tx.execute(_EXPIRE, tx.now, limit)).split()[-1])


async def page(
    tx: Transaction, site: str, customers: Sequence[str], *, before: tuple[datetime, str], limit: int
) -> list[tuple[datetime, Coupon]]:
    """Coupons of these files before a position, latest first, with when each was issued."""
    rows = await tx.fetch(_PAGE, site, list(customers), *before, limit)
    return [(row["issued_at"], _coupon(row)) for row in rows]


async def put_membership(tx: Transaction, site: str, customer: str, level: str) -> None:
    """Set a customer's level; the same one again changes nothing."""
    await tx.execute(_JOIN, site, customer, level, tx.now)


async def membership(tx: Transaction, site: str, customer: str) -> tuple[str, datetime] | None:
    """Level and since when; None for who never was a member."""
    row = await tx.fetchrow(_MEMBER, site, customer)
    return None if row is None else (row["level"], row["since"])


def _coupon(row: Any) -> Coupon:
    return Coupon(
        site=row["site"],
        id=row["coupon_id"],
        customer=row["customer_id"],
        state=row["state"],
        value_fen=row["value_fen"],
        cause=row["cause"],
        reference=row["reference"],
        expires_at=row["expires_at"],
        used_for=row["used_for"],
    )
