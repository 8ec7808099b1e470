"""Everything that crm knows of a customer, in the clear: for the customer, and for nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.crm.queries.customers import CustomerQueries
from services.crm.store import customers
from services.crm.store.words import WordStore
from services.kit.db import Transaction

# Section → the rows of the customer's files in it.
_SECTIONS: Final = {
    "consents": "SELECT purpose, channel, granted, source, at FROM consent_history WHERE {mine} ORDER BY number",
    "orders": """SELECT source, order_id, first_at, returned_at, sales_fen, returned_fen FROM orders
                 WHERE {mine} ORDER BY at""",
    "order_lines": """SELECT l.source, l.order_id, l.line_id, l.kind, l.at, l.quantity, l.amount, l.currency, l.product
                      FROM orders o JOIN order_lines l USING (site, source)
                      WHERE o.site = $1 AND o.customer_id = ANY ($2::text[]) AND l.order_id = o.order_id
                      ORDER BY l.at""",
    "tier_moves": """SELECT at, from_tier, to_tier, cause, spend_fen, orders, active_days, recency_days FROM tier_moves
                     WHERE {mine} ORDER BY number""",
    "point_lots": """SELECT lot_id, cause, reference, issued, pending, active, spent, expired, reversed, active_at,
                     expires_at FROM point_lots WHERE {mine} ORDER BY lot_id""",
    "point_transfers": """SELECT at, lot_id, from_account, to_account, points, cause, reference FROM point_entries
                          WHERE {mine} ORDER BY number""",
    "coupons": """SELECT coupon_id, state, value_fen, cause, reference, issued_at, expires_at, used_for FROM coupons
                  WHERE {mine} ORDER BY issued_at""",
    "memberships": "SELECT level, since FROM memberships WHERE {mine}",
    "days": "SELECT day, spend_fen, orders, visits FROM customer_days WHERE {mine} ORDER BY day",
    "timeline": "SELECT at, kind, object, detail FROM timeline WHERE {mine} ORDER BY at",
    "lifecycle": "SELECT lifecycle, by_rule, judge, silent_d, p_alive, since FROM lifecycles WHERE {theirs}",
    "messages": """SELECT campaign, occasion, state, reason, channel, planned_at, left_at FROM care_messages
                   WHERE {theirs} ORDER BY planned_at""",
    "commitments": """SELECT id, owner, conversation, state, made_at, due_at, ended_at FROM commitments
                      WHERE {theirs} ORDER BY made_at""",
    "contacts": """SELECT id, cause, state, made_at, ended_at, ended_by FROM contact_tasks
                   WHERE {theirs} ORDER BY made_at""",
    "win_backs": """SELECT id, state, cause, reward_points, coupon_fen, contacts, detected_at, ended_at FROM win_backs
                    WHERE {theirs} ORDER BY detected_at""",
    "survey_answers": "SELECT survey, score, at FROM survey_answers WHERE {theirs} ORDER BY at",
    "looks": "SELECT requester, decider, state, requested_at FROM unmask_grants WHERE {mine} ORDER BY requested_at",
    "requests": """SELECT request_id, kind, state, opened_at, ended_at FROM data_requests
                   WHERE {mine} ORDER BY opened_at""",
}
_MINE: Final = "site = $1 AND customer_id = ANY ($2::text[])"
_THEIRS: Final = "site = $1 AND customer = ANY ($2::text[])"


async def export(
    tx: Transaction, queries: CustomerQueries, words: WordStore, site: str, customer_id: str
) -> dict[str, Any]:
    """The customer's own file and those merged into it, with everything that hangs on them. Raises NotFound."""
    _, files = await customers.members(tx, site, customer_id)
    found: dict[str, Any] = {"site": site, "exported_at": tx.now, "files": await _files(tx, queries, site, files)}
    for section, query in _SECTIONS.items():
        rows = await tx.fetch(query.format(mine=_MINE, theirs=_THEIRS), site, files)
        found[section] = [dict(row) for row in rows]
    found["words"] = await words.about(tx, site, files)
    return found


async def _files(tx: Transaction, queries: CustomerQueries, site: str, files: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for one in files:
        customer = await queries.one(tx, site, one)
        identities = (await queries.identities(tx, [customer]))[one]
        found.append(
            {name: getattr(customer.file, name) for name in customer.file.__slots__}
            | {"id": one, "state": customer.state, "verified_at": customer.verified_at}
            | {"identities": [{"channel": each.channel, "id": each.external_id} for each in identities]}
        )
    return found
