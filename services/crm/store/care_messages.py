"""SQL of a campaign's messages: who was drawn into which arm, and how each message went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.crm.domain.holdout import Group
from services.kit.db import Transaction

# Of two campaigns that want the same occasion, or two rounds of one, the first has it.
_INSERT: Final = """
INSERT INTO care_messages (site, id, campaign, customer, occasion, follows, arm, state, channel, reason, planned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING true
"""
_LOCK: Final = """
SELECT id, campaign, customer, occasion, follows FROM care_messages WHERE site = $1 AND id = ANY ($2)
ORDER BY id FOR UPDATE
"""
# Between two that judge messages to one customer at the same time, so that both count what the other lets go.
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtext('care'), hashtext($1))"
_LEFT: Final = """
SELECT customer, left_at FROM care_messages WHERE site = $1 AND customer = ANY ($2) AND left_at > $3
"""
_LEAVE: Final = "UPDATE care_messages SET state = 'LEAVING', left_at = $3 WHERE site = $1 AND id = ANY ($2)"
_END: Final = """
UPDATE care_messages SET state = $3, reason = $4,
    left_at = CASE WHEN $3 IN ('SUPPRESSED', 'FAILED') THEN NULL ELSE left_at END
WHERE site = $1 AND id = $2
"""
_CANCEL: Final = """
UPDATE care_messages SET state = 'SUPPRESSED', reason = 'CANCELLED'
WHERE site = $1 AND campaign = $2 AND state = 'PLANNED' RETURNING id
"""
# A purchase counts for every campaign in whose window it lies, in both arms, whenever it was told of. Over one
# message a customer: of a campaign that comes round the first is where the window begins.
_ARMS: Final = """
SELECT m.arm, count(*) AS customers, count(*) FILTER (WHERE EXISTS (
    SELECT FROM orders o
    WHERE o.site = $1 AND o.first_at >= m.since AND o.first_at < m.since + make_interval(days => c.window_days)
        AND o.customer_id IN (SELECT m.customer UNION ALL
                              SELECT f.customer_id FROM customers f
                              WHERE f.site = $1 AND f.root = m.customer AND f.merged_into IS NOT NULL)
)) AS converted
FROM (SELECT customer, arm, min(planned_at) AS since FROM care_messages WHERE site = $1 AND campaign = $2
      GROUP BY customer, arm) m
JOIN campaigns c ON c.site = $1 AND c.id = $2
GROUP BY m.arm
"""
_STATES: Final = """
SELECT state, reason, count(*) AS messages FROM care_messages WHERE site = $1 AND campaign = $2 GROUP BY state, reason
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """One message to one customer, in one of a campaign's rounds; `follows` is the message that it reminds of."""

    id: str
    campaign: str
    customer: str
    occasion: str
    follows: str = ""


async def insert(
    tx: Transaction, site: str, planned: Planned, *, arm: str, state: str, channel: str = "", reason: str = ""
) -> bool:
    """Add one; False where the customer has one already, or had the occasion from elsewhere."""
    who = (planned.id, planned.campaign, planned.customer, planned.occasion, planned.follows)
    return bool(await tx.fetchval(_INSERT, site, *who, arm, state, channel, reason, tx.now))


async def lock(tx: Transaction, site: str, ids: Sequence[str]) -> dict[str, Planned]:
    """Lock messages, and take turns on their customers; by id."""
    found = {row["id"]: Planned(*row) for row in await tx.fetch(_LOCK, site, list(ids))}
    for customer in sorted({one.customer for one in found.values()}):
        await tx.execute(_TURN, f"{site}/{customer}")
    return found


async def left_since(
    tx: Transaction, site: str, customers: Sequence[str], window: timedelta
) -> dict[str, list[datetime]]:
    """When messages left in the window, by customer."""
    found: dict[str, list[datetime]] = {customer: [] for customer in customers}
    for row in await tx.fetch(_LEFT, site, list(customers), tx.now - window):
        found[row["customer"]].append(row["left_at"])
    return found


async def leave(tx: Transaction, site: str, ids: Sequence[str]) -> None:
    """Let messages go."""
    await tx.execute(_LEAVE, site, list(ids), tx.now)


async def end(tx: Transaction, site: str, id_: str, *, state: str, reason: str) -> None:
    """Note how one went."""
    await tx.execute(_END, site, id_, state, reason)


async def cancel(tx: Transaction, site: str, campaign: str) -> list[str]:
    """Suppress what has not left; returns which."""
    return [row["id"] for row in await tx.fetch(_CANCEL, site, campaign)]


async def arms(tx: Transaction, site: str, campaign: str) -> dict[str, Group]:
    """Customers and those who bought, by arm."""
    rows = await tx.fetch(_ARMS, site, campaign)
    return {row["arm"]: Group(row["customers"], row["converted"]) for row in rows}


async def counts(tx: Transaction, site: str, campaign: str) -> dict[tuple[str, str], int]:
    """Messages by state and reason."""
    return {(row["state"], row["reason"]): row["messages"] for row in await tx.fetch(_STATES, site, campaign)}
