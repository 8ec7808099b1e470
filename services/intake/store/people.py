"""Intake's copies: people as staffing tells of them, tiers as crm does. An older event never undoes a newer one."""

from __future__ import annotations

from typing import Final

from services.kit.db import Transaction

_PERSON: Final = """
INSERT INTO agents AS a (site, person, skills, capacity, active, certified, display_name_sealed, person_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (site, person) DO UPDATE
SET skills = excluded.skills, capacity = excluded.capacity, active = excluded.active, certified = excluded.certified,
    display_name_sealed = excluded.display_name_sealed, person_version = excluded.person_version
WHERE a.person_version < excluded.person_version
RETURNING true
"""
_PRESENCE: Final = """
INSERT INTO agents AS a (site, person, presence, presence_version) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, person) DO UPDATE
SET presence = excluded.presence, presence_version = excluded.presence_version
WHERE a.presence_version < excluded.presence_version
RETURNING true
"""
_VERSIONS: Final = "SELECT person_version, presence_version FROM agents WHERE site = $1 AND person = $2"
_TIER: Final = """
INSERT INTO customer_tiers AS t (site, customer, tier, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, customer) DO UPDATE SET tier = excluded.tier, version = excluded.version
WHERE t.version < excluded.version
"""
_OFFERED: Final = """
SELECT id FROM conversations
WHERE site = $1 AND assignee = $2 AND state IN ('ASSIGNED', 'HANDOFF_PENDING') ORDER BY id
"""


async def versions(tx: Transaction, site: str, person: str) -> tuple[int, int]:
    """Return the versions of what is known of a person and of their presence, 0 for nothing; locks nothing."""
    row = await tx.fetchrow(_VERSIONS, site, person)
    return (0, 0) if row is None else (row["person_version"], row["presence_version"])


async def put_person(
    tx: Transaction,
    site: str,
    person: str,
    *,
    skills: list[str],
    capacity: int,
    active: bool,
    certified: bool,
    name_sealed: bytes,
    version: int,
) -> bool:
    """Store what staffing says of a person; False when something newer is known."""
    given = (skills, capacity, active, certified, name_sealed, version)
    return bool(await tx.fetchval(_PERSON, site, person, *given))


async def put_presence(tx: Transaction, site: str, person: str, *, presence: str, version: int) -> bool:
    """Store somebody's presence; False when something newer is known."""
    return bool(await tx.fetchval(_PRESENCE, site, person, presence, version))


async def put_tier(tx: Transaction, site: str, customer: str, *, tier: str, version: int) -> None:
    """Store a customer's tier."""
    await tx.execute(_TIER, site, customer, tier, version)


async def offered(tx: Transaction, site: str, person: str) -> list[str]:
    """Return the conversations that are offered to somebody who has not taken them."""
    return [row["id"] for row in await tx.fetch(_OFFERED, site, person)]
