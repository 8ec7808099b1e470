"""SQL of webhooks and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from services.kit.db import Database, Transaction

_WEBHOOK: Final = (
    "SELECT id, site, url, kinds, secret_sealed, created_by, created_at,"
    " CASE WHEN old_secret_until > now() THEN old_secret_sealed END AS old_secret_sealed FROM webhooks"
)
_DELIVERY: Final = (
    "SELECT id, webhook, site, event_id, kind, state, tries, next_try_at, last_status, last_error, created_at,"
    " delivered_at FROM webhook_deliveries"
)
_ENQUEUE: Final = """
INSERT INTO webhook_deliveries (id, webhook, site, event_id, kind, body)
SELECT $1 || '-' || row_number() OVER (), w.id, w.site, $2, $4, $5 FROM webhooks w
WHERE w.site = $3 AND w.active AND (w.kinds @> ARRAY[$4] OR w.kinds @> ARRAY['*'])
ON CONFLICT (webhook, event_id) DO NOTHING
"""
# Claimed by moving the next try past the time that a try can take: a sender that dies is followed by another.
_CLAIM: Final = """
UPDATE webhook_deliveries d SET tries = d.tries + 1, next_try_at = now() + make_interval(secs => $2)
FROM webhooks w
WHERE w.id = d.webhook AND d.id IN (
    SELECT id FROM webhook_deliveries WHERE state = 'PENDING' AND next_try_at <= now()
    ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING d.id, d.event_id, d.body, d.tries, w.id AS webhook, w.url, w.secret_sealed,
    CASE WHEN w.old_secret_until > now() THEN w.old_secret_sealed END AS old_secret_sealed
"""
# The only fact with a customer's id in it; events carry no words.
_FORGET: Final = """
DELETE FROM webhook_deliveries
WHERE site = $1 AND kind = 'tier_changed'
  AND convert_from(body, 'UTF8')::json #>> '{data,tierChanged,customer}' = ANY ($2::text[])
"""
_NEXT: Final = """
SELECT extract(epoch FROM min(next_try_at) - now())::float8 FROM webhook_deliveries WHERE state = 'PENDING'
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription; `secrets` are sealed, the newest first."""

    id: str
    site: str
    url: str
    kinds: Sequence[str]
    secrets: Sequence[bytes]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    webhook: str
    site: str
    event_id: str
    kind: str
    state: str
    tries: int
    next_try_at: datetime
    last_status: int | None
    last_error: str
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery with all that sending needs."""

    id: str
    event_id: str
    body: bytes
    tries: int
    webhook: str
    url: str
    secrets: Sequence[bytes]


def _secrets(row: asyncpg.Record) -> list[bytes]:
    return [one for one in (row["secret_sealed"], row["old_secret_sealed"]) if one is not None]


def _webhook(row: asyncpg.Record) -> Webhook:
    return Webhook(
        row["id"], row["site"], row["url"], list(row["kinds"]), _secrets(row), row["created_by"], row["created_at"]
    )


async def insert(
    tx: Transaction, *, webhook: str, site: str, url: str, kinds: Sequence[str], sealed: bytes, by: str
) -> Webhook:
    """Add a subscription."""
    row = await tx.fetchrow(
        "INSERT INTO webhooks (id, site, url, kinds, secret_sealed, created_by) VALUES ($1, $2, $3, $4, $5, $6)"
        " RETURNING id, site, url, kinds, secret_sealed, created_by, created_at, NULL::bytea AS old_secret_sealed",
        webhook,
        site,
        url,
        list(kinds),
        sealed,
        by,
    )
    assert row is not None
    return _webhook(row)


async def get(source: Transaction | Database, site: str, webhook: str) -> Webhook | None:
    """One subscription of a site."""
    row = await source.fetchrow(f"{_WEBHOOK} WHERE site = $1 AND id = $2", site, webhook)
    return None if row is None else _webhook(row)


async def list_webhooks(database: Database, site: str, after: str, limit: int) -> list[Webhook]:
    """A page by id."""
    rows = await database.fetch(f"{_WEBHOOK} WHERE site = $1 AND id > $2 ORDER BY id LIMIT $3", site, after, limit)
    return [_webhook(row) for row in rows]


async def delete(tx: Transaction, site: str, webhook: str) -> bool:
    """End a subscription; False when there is none."""
    return (await tx.execute("DELETE FROM webhooks WHERE site = $1 AND id = $2", site, webhook)).endswith(" 1")


async def rotate(tx: Transaction, site: str, webhook: str, sealed: bytes, keep_seconds: float) -> bool:
    """Set a new secret, keeping the old one for a while; False when there is no such webhook."""
    done = await tx.execute(
        "UPDATE webhooks SET old_secret_sealed = secret_sealed, secret_sealed = $3, version = version + 1,"
        " old_secret_until = now() + make_interval(secs => $4) WHERE site = $1 AND id = $2",
        site,
        webhook,
        sealed,
        keep_seconds,
    )
    return done.endswith(" 1")


async def sites(tx: Transaction) -> frozenset[str]:
    """The sites that have a webhook."""
    return frozenset(row["site"] for row in await tx.fetch("SELECT DISTINCT site FROM webhooks WHERE active"))


async def enqueue(tx: Transaction, *, delivery: str, event_id: str, site: str, kind: str, body: bytes) -> int:
    """One delivery for each subscription that wants the event; how many. An event that comes again adds none."""
    return int((await tx.execute(_ENQUEUE, delivery, event_id, site, kind, body)).split()[-1])


async def claim(database: Database, limit: int, lease_seconds: float) -> list[Due]:
    """Take what is due; each counts as one more try."""
    return [
        Due(r["id"], r["event_id"], r["body"], r["tries"], r["webhook"], r["url"], _secrets(r))
        for r in await database.fetch(_CLAIM, limit, lease_seconds)
    ]


async def seconds_to_next(database: Database) -> float | None:
    """How long until something is due; None when nothing waits."""
    seconds: float | None = await database.fetchval(_NEXT)
    return seconds


async def delivered(database: Database, delivery: str, status: int) -> None:
    """Note the answer."""
    await database.execute(
        "UPDATE webhook_deliveries SET state = 'DELIVERED', last_status = $2, last_error = '', delivered_at = now()"
        " WHERE id = $1 AND state = 'PENDING'",
        delivery,
        status,
    )


async def failed(database: Database, delivery: str, *, status: int | None, error: str, wait: float | None) -> None:
    """Note a failed try; it is tried again after `wait` seconds, or parked without."""
    await database.execute(
        "UPDATE webhook_deliveries SET state = CASE WHEN $4::float8 IS NULL THEN 'PARKED' ELSE state END,"
        " last_status = $2, last_error = $3, next_try_at = now() + make_interval(secs => coalesce($4, 0))"
        " WHERE id = $1 AND state = 'PENDING'",
        delivery,
        status,
        error[:300],
        wait,
    )


async def list_deliveries(
    database: Database, site: str, webhook: str, states: Sequence[str], before: str, limit: int
) -> list[Delivery]:
    """A page, newest first."""
    rows = await database.fetch(
        f"{_DELIVERY} WHERE site = $1 AND webhook = $2 AND ($3 = '{{}}'::text[] OR state = ANY ($3))"
        " AND ($4 = '' OR id < $4) ORDER BY id DESC LIMIT $5",
        site,
        webhook,
        list(states),
        before,
        limit,
    )
    return [_delivery(row) for row in rows]


async def get_delivery(tx: Transaction, site: str, webhook: str, delivery: str) -> Delivery | None:
    """One delivery, locked."""
    row = await tx.fetchrow(
        f"{_DELIVERY} WHERE site = $1 AND webhook = $2 AND id = $3 FOR UPDATE", site, webhook, delivery
    )
    return None if row is None else _delivery(row)


async def retry(tx: Transaction, delivery: str) -> None:
    """Begin again with a parked delivery."""
    await tx.execute(
        "UPDATE webhook_deliveries SET state = 'PENDING', tries = 0, next_try_at = now() WHERE id = $1", delivery
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(**dict(row))


async def forget(tx: Transaction, site: str, customers: Sequence[str]) -> dict[str, int]:
    """Delete what waits for other companies, or went to them, about these customers; returns rows by table."""
    deleted = await tx.execute(_FORGET, site, list(customers))
    return {"webhook_deliveries": int(deleted.split()[-1])}
