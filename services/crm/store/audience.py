"""SQL of whom a message may concern: what segments ask of customers, and how each may be reached.

An audience is of customers who count for themselves; files merged into one add to what is known of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from services.crm.domain.campaign import Addressee
from services.crm.domain.guard import Purpose, Reach
from services.crm.domain.segment import Facts
from services.crm.store import customers as files_store
from services.crm.store.customers import CustomerStore
from services.crm.store.identities import IdentityStore
from services.kit.db import Transaction

EMAIL: Final = "EMAIL"
SMS: Final = "SMS"
_FACTS: Final = """
SELECT c.customer_id, c.birth_month, c.birth_day, c.interests, c.preferred_channels,
    coalesce(s.tier, $4) AS tier, coalesce(m.level, '') <> '' AS member, d.spend_fen, d.orders,
    $5::date - d.last_day AS days_since_purchase, p.points, t.complaints,
    $5::date - l.left_at::date AS days_since_contact, y.lifecycle, y.p_alive
FROM customers c
LEFT JOIN standings s ON s.site = c.site AND s.customer_id = c.customer_id
LEFT JOIN memberships m ON m.site = c.site AND m.customer_id = c.customer_id
LEFT JOIN lifecycles y ON y.site = c.site AND y.customer = c.customer_id
CROSS JOIN LATERAL (
    SELECT ARRAY(SELECT f.customer_id FROM customers f
                 WHERE f.site = c.site AND f.root = c.customer_id AND f.merged_into IS NOT NULL)
        || c.customer_id AS files) own
CROSS JOIN LATERAL (
    SELECT coalesce(sum(spend_fen), 0)::bigint AS spend_fen, coalesce(sum(orders), 0)::int AS orders,
        max(day) FILTER (WHERE orders > 0) AS last_day
    FROM customer_days WHERE site = c.site AND customer_id = ANY (own.files)) d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(active), 0)::bigint AS points FROM point_lots
    WHERE site = c.site AND customer_id = ANY (own.files) AND pending + active > 0 AND expires_at > $6) p
CROSS JOIN LATERAL (
    SELECT count(*) AS complaints FROM timeline
    WHERE site = c.site AND customer_id = ANY (own.files) AND kind = 'COMPLAINT') t
CROSS JOIN LATERAL (
    SELECT max(left_at) AS left_at FROM care_messages WHERE site = c.site AND customer = c.customer_id) l
WHERE c.site = $1 AND c.customer_id > $2 AND c.state IN ('ACTIVE', 'STALE')
ORDER BY c.customer_id LIMIT $3
"""
_FILES: Final = """
SELECT customer_id, root, state, do_not_contact, preferred_channels, email_sealed IS NOT NULL AS email,
    phone_sealed IS NOT NULL AS phone
FROM customers
WHERE site = $1 AND (customer_id = ANY ($2::text[]) OR (root = ANY ($2::text[]) AND merged_into IS NOT NULL))
ORDER BY customer_id
"""
_CONSENTS: Final = """
SELECT customer_id, purpose, channel, granted, at FROM consents WHERE site = $1 AND customer_id = ANY ($2::text[])
ORDER BY customer_id, purpose, channel
"""
_CHANNELS: Final = "SELECT customer_id, channel FROM identities WHERE site = $1 AND customer_id = ANY ($2::text[])"
_SHARED: Final = " FOR SHARE"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer with what segments may ask of them. A birthday of 0, 0 is unknown."""

    id: str
    facts: Facts
    birth_month: int
    birth_day: int


class Audience:
    """Customers as those see them who want to write to them."""

    def __init__(self, files: CustomerStore, identities: IdentityStore) -> None:
        self._files = files
        self._identities = identities

    async def page(
        self, tx: Transaction, site: str, *, after: str, limit: int, today: date, default_tier: str
    ) -> list[Person]:
        """Up to `limit` customers whose id follows `after`; `today` is the site's."""
        return [_person(row) for row in await tx.fetch(_FACTS, site, after, limit, default_tier, today, tx.now)]

    async def reaches(self, tx: Transaction, site: str, asked: Sequence[str], *, lock: bool) -> dict[str, Reach]:
        """How each may be reached; those without a file are left out.

        `lock` keeps files and consents as they are until `tx` ends: whoever withdraws was before it, or waits.
        """
        share = _SHARED if lock else ""
        roots = await files_store.roots(tx, site, asked)
        rows = await tx.fetch(_FILES + share, site, sorted(set(roots.values())))
        mine = [row["customer_id"] for row in rows]
        consents = await tx.fetch(_CONSENTS + share, site, mine)
        channels = await tx.fetch(_CHANNELS, site, mine)
        by_root = _reaches(rows, consents, channels)
        return {one: by_root[root] for one, root in roots.items() if root in by_root}

    async def addressee(self, tx: Transaction, site: str, customer: str, channel: str) -> Addressee:
        """Where to write to by a channel, and by which name; the address is empty where there is none."""
        root, members = await files_store.members(tx, site, customer)
        file = (await self._files.get(tx, site, root)).file
        if channel == EMAIL:
            return Addressee(file.email, file.display_name)
        if channel == SMS:
            return Addressee(file.phone, file.display_name)
        found = [one for one in await self._identities.of(tx, site, members) if one.channel == channel]
        return Addressee(found[0].external_id if found else "", file.display_name)


def _person(row: Any) -> Person:
    preferred = row["preferred_channels"]
    return Person(
        row["customer_id"],
        {
            "tier": row["tier"],
            "lifecycle": row["lifecycle"],
            "p_alive": row["p_alive"],
            "spend_yuan": max(0, row["spend_fen"]) / 100,
            "orders": row["orders"],
            "days_since_purchase": row["days_since_purchase"],
            "days_since_contact": row["days_since_contact"],
            "points": row["points"],
            "complaints": row["complaints"],
            "birthday_month": row["birth_month"] or None,
            "member": row["member"],
            "channel": preferred[0] if preferred else None,
            "interests": frozenset(row["interests"]),
        },
        row["birth_month"],
        row["birth_day"],
    )


def _reaches(rows: Sequence[Any], consents: Sequence[Any], channels: Sequence[Any]) -> dict[str, Reach]:
    """By who counts. Of what merged files say about one purpose and channel the latest word holds."""
    root_of = {row["customer_id"]: row["root"] for row in rows}
    granted: dict[str, dict[tuple[Purpose, str], bool]] = defaultdict(dict)
    for row in sorted(consents, key=lambda one: one["at"]):
        granted[root_of[row["customer_id"]]][Purpose(row["purpose"]), row["channel"]] = row["granted"]
    addresses: dict[str, set[str]] = defaultdict(set)
    for row in channels:
        addresses[root_of[row["customer_id"]]].add(row["channel"])
    refusing = {row["root"] for row in rows if row["do_not_contact"]}
    return {row["root"]: _reach(row, granted, addresses, refusing) for row in rows if row["root"] == row["customer_id"]}


def _reach(
    row: Any,
    granted: Mapping[str, Mapping[tuple[Purpose, str], bool]],
    addresses: Mapping[str, set[str]],
    refusing: set[str],
) -> Reach:
    root = row["root"]
    own = {EMAIL: row["email"], SMS: row["phone"]}
    known = addresses.get(root, set()) - own.keys() | {channel for channel, there in own.items() if there}
    return Reach(
        consents=frozenset(one for one, yes in granted.get(root, {}).items() if yes),
        preferred=tuple(row["preferred_channels"]),
        addresses=frozenset(known),
        do_not_contact=root in refusing,
        erased=row["state"] not in ("ACTIVE", "STALE"),
    )
