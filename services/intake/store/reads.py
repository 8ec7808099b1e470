"""What a group of commands must see: locked where it may change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from services.intake.domain.commands import Target
from services.intake.domain.conversation import Conversation, Message
from services.intake.store import rows
from services.kit.db import Transaction

Key = tuple[str, str]

# In one order everywhere, so that groups that share conversations wait for each other instead of deadlocking.
_LOCK: Final = f"""
SELECT {rows.CONVERSATION}
FROM conversations c JOIN unnest($1::text[], $2::text[]) AS k (site, id) ON c.site = k.site AND c.id = k.id
ORDER BY c.site, c.id
FOR UPDATE OF c
"""
_LOCK_FREE: Final = _LOCK + " SKIP LOCKED"
_LOCK_EXTERNAL: Final = f"""
SELECT {rows.CONVERSATION}
FROM conversations c JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (site, channel, external_id)
    ON c.site = k.site AND c.channel = k.channel AND c.external_id = k.external_id
WHERE c.external_id <> ''
ORDER BY c.site, c.id
FOR UPDATE OF c
"""
_LOCK_BURST: Final = f"""
SELECT {rows.CONVERSATION}
FROM conversations c JOIN unnest($1::text[], $2::text[]) AS k (site, burst_key)
    ON c.site = k.site AND c.burst_key = k.burst_key
WHERE c.burst_key <> ''
ORDER BY c.site, c.id
FOR UPDATE OF c
"""
_EXISTING: Final = """
SELECT c.site, c.id FROM conversations c JOIN unnest($1::text[], $2::text[]) AS k (site, id) USING (site, id)
"""
_TWICE: Final = f"""
SELECT {rows.MESSAGE}
FROM messages m JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (site, conversation, external_id)
    ON m.site = k.site AND m.conversation = k.conversation AND m.external_id = k.external_id
WHERE m.external_id <> ''
"""
_TIERS: Final = """
SELECT t.site, t.customer, t.tier
FROM customer_tiers t JOIN unnest($1::text[], $2::text[]) AS k (site, customer) USING (site, customer)
"""
_SURGES: Final = "SELECT site FROM site_states WHERE site = ANY ($1::text[]) AND surge"
_TARGETS: Final = """
SELECT a.site, a.person, a.active AND a.presence = 'AVAILABLE' AND a.load < a.capacity AS takes_work, a.certified
FROM agents a JOIN unnest($1::text[], $2::text[]) AS k (site, person) USING (site, person)
"""


async def lock(tx: Transaction, keys: Iterable[Key], *, wait: bool = True) -> dict[Key, Conversation]:
    """Lock conversations by (site, id) and return them; without `wait`, only those that nobody else holds."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    found = await tx.fetch(_LOCK if wait else _LOCK_FREE, *_columns(ordered))
    return {(c.site, c.id): c for c in map(rows.conversation, found)}


async def existing(tx: Transaction, keys: Iterable[Key]) -> set[Key]:
    """Return which conversations there are."""
    return {(row["site"], row["id"]) for row in await tx.fetch(_EXISTING, *_columns(sorted(keys)))}


async def lock_external(tx: Transaction, keys: Iterable[tuple[str, str, str]]) -> list[Conversation]:
    """Lock the conversations of (site, channel, external id)."""
    ordered = sorted(set(keys))
    return [rows.conversation(row) for row in await tx.fetch(_LOCK_EXTERNAL, *_columns(ordered))] if ordered else []


async def lock_bursts(tx: Transaction, keys: Iterable[Key]) -> list[Conversation]:
    """Lock the conversations that customers' next words would find, by (site, burst key)."""
    ordered = sorted(set(keys))
    return [rows.conversation(row) for row in await tx.fetch(_LOCK_BURST, *_columns(ordered))] if ordered else []


async def sent_before(tx: Transaction, keys: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], Message]:
    """Return the messages that are stored already under (site, conversation, external id)."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    found = map(rows.message, await tx.fetch(_TWICE, *_columns(ordered)))
    return {(m.site, m.conversation, m.external_id): m for m in found}


async def tiers(tx: Transaction, keys: Iterable[Key]) -> dict[Key, str]:
    """Return the tiers of customers by (site, customer), where they are known."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    return {(row["site"], row["customer"]): row["tier"] for row in await tx.fetch(_TIERS, *_columns(ordered))}


async def surges(tx: Transaction, sites: Iterable[str]) -> set[str]:
    """Return the sites that are in surge mode."""
    return {row["site"] for row in await tx.fetch(_SURGES, sorted(set(sites)))}


async def targets(tx: Transaction, keys: Iterable[Key]) -> dict[Key, Target]:
    """Return people to hand something over to, by (site, person). Not locked: the write has the last word."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    found = await tx.fetch(_TARGETS, *_columns(ordered))
    return {
        (row["site"], row["person"]): Target(row["person"], takes_work=row["takes_work"], certified=row["certified"])
        for row in found
    }


def _columns(keys: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [list(column) for column in zip(*keys, strict=True)]
