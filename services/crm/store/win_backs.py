"""SQL of win-back cases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.crm.domain.holdout import Group
from services.crm.domain.win_back import WinBack
from services.crm.errors import not_found
from services.kit.db import Transaction

_COLUMNS: Final = (
    "site, id, customer, arm, state, cause, reward_points, coupon_fen, coupon_days, contacts, owner, detected_at,"
    " ends_at, ended_at"
)
_INSERT: Final = """
INSERT INTO win_backs (site, id, customer, arm, state, detected_at, ends_at) VALUES ($1, $2, $3, $4, 'DETECTED', $5, $6)
ON CONFLICT (site, customer) WHERE state NOT IN ('WON_BACK', 'LOST') DO NOTHING
"""
_GET: Final = f"SELECT {_COLUMNS} FROM win_backs WHERE site = $1 AND id = $2 FOR UPDATE"
_UPDATE: Final = """
UPDATE win_backs SET state = $3, cause = $4, reward_points = $5, coupon_fen = $6, coupon_days = $7, contacts = $8,
    owner = $9, ended_at = $10
WHERE site = $1 AND id = $2
"""
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM win_backs WHERE site = $1 AND ($2 = '' OR state = $2) AND id > $3 ORDER BY id LIMIT $4
"""
# Open cases that end: the customer bought again, or the time is over.
_ENDING: Final = f"""
SELECT {_COLUMNS}, returned FROM win_backs w CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM orders o
        WHERE o.site = w.site AND o.first_at > w.detected_at AND o.first_at <= w.ends_at
            AND o.customer_id IN (SELECT w.customer UNION ALL
                                  SELECT f.customer_id FROM customers f
                                  WHERE f.site = w.site AND f.root = w.customer AND f.merged_into IS NOT NULL)
    ) AS returned) r
WHERE site = $1 AND state NOT IN ('WON_BACK', 'LOST') AND (returned OR ends_at <= $2) AND id > $3
ORDER BY id LIMIT $4 FOR UPDATE OF w SKIP LOCKED
"""
_CAUSES: Final = """
SELECT cause, count(*) AS cases, count(*) FILTER (WHERE state = 'WON_BACK') AS won FROM win_backs
WHERE site = $1 AND detected_at >= $2 AND detected_at < $3 AND cause <> '' GROUP BY cause ORDER BY cases DESC, cause
"""
# Only cases that are over say how they ended.
_ARMS: Final = """
SELECT arm, count(*) AS customers, count(*) FILTER (WHERE state = 'WON_BACK') AS converted FROM win_backs
WHERE site = $1 AND detected_at >= $2 AND detected_at < $3 AND state IN ('WON_BACK', 'LOST') GROUP BY arm
"""
_STATES: Final = """
SELECT state, count(*) AS cases FROM win_backs WHERE site = $1 AND detected_at >= $2 AND detected_at < $3 GROUP BY state
"""


async def detect(tx: Transaction, site: str, id_: str, customer: str, *, arm: str, ends_at: datetime) -> None:
    """Add a case; a customer has one open at a time."""
    await tx.execute(_INSERT, site, id_, customer, arm, tx.now, ends_at)


async def get(tx: Transaction, site: str, id_: str) -> WinBack:
    """One case, locked. Raises NotFound."""
    row = await tx.fetchrow(_GET, site, id_)
    if row is None:
        raise not_found(f"sites/{site}/winBacks/{id_}")
    return WinBack(**row)


async def update(tx: Transaction, w: WinBack) -> None:
    """Write a locked case back."""
    offer = (w.reward_points, w.coupon_fen, w.coupon_days)
    await tx.execute(_UPDATE, w.site, w.id, w.state, w.cause, *offer, w.contacts, w.owner, w.ended_at)


async def page(tx: Transaction, site: str, *, state: str, after: str, limit: int) -> list[WinBack]:
    """By age after an id; an empty state is all."""
    return [WinBack(**row) for row in await tx.fetch(_PAGE, site, state, after, limit)]


async def ending(tx: Transaction, site: str, *, after: str, limit: int) -> list[tuple[WinBack, bool]]:
    """Locked cases that end now, each with whether the customer bought again."""
    rows: list[Any] = await tx.fetch(_ENDING, site, tx.now, after, limit)
    return [(WinBack(**{name: row[name] for name in _COLUMNS.split(", ")}), row["returned"]) for row in rows]


async def causes(tx: Transaction, site: str, since: datetime, until: datetime) -> list[tuple[str, int, int]]:
    """Why customers were lost: cause, cases, and those won back, most frequent first."""
    return [(row["cause"], row["cases"], row["won"]) for row in await tx.fetch(_CAUSES, site, since, until)]


async def arms(tx: Transaction, site: str, since: datetime, until: datetime) -> dict[str, Group]:
    """Cases that are over, and those won back, by arm."""
    rows = await tx.fetch(_ARMS, site, since, until)
    return {row["arm"]: Group(row["customers"], row["converted"]) for row in rows}


async def states(tx: Transaction, site: str, since: datetime, until: datetime) -> dict[str, int]:
    """Cases by state."""
    return {row["state"]: row["cases"] for row in await tx.fetch(_STATES, site, since, until)}
