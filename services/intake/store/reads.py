"""What a group of commands must see: locked where it may change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
# The same with the stored reply of each command. A twin in another transaction that is not done yet is not seen here;
# it is met when the reply is stored, and the group is run again.
_LOCK_WITH_REPLIES: Final = f"""
SELECT {rows.CONVERSATION}, k.nth, r.fingerprint, r.reply
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS k (site, id, subject, request_id, nth)
JOIN conversations c ON c.site = k.site AND c.id = k.id
LEFT JOIN kefu_requests r ON r.subject = k.subject AND r.request_id = k.request_id
ORDER BY c.site, c.id
FOR UPDATE OF c
"""
_LOCK_FOUND: Final = f"""
SELECT {rows.CONVERSATION} FROM conversations c
WHERE (c.site, c.id) IN (
    SELECT e.site, e.id
    FROM unnest($1::text[], $2::text[], $3::text[]) AS k (site, channel, external_id)
    JOIN conversations e ON e.site = k.site AND e.channel = k.channel AND e.external_id = k.external_id
    WHERE e.external_id <> ''
    UNION
    SELECT b.site, b.id FROM unnest($4::text[], $5::text[]) AS k (site, burst_key)
    JOIN conversations b ON b.site = k.site AND b.burst_key = k.burst_key WHERE b.burst_key <> '')
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
_KNOWN: Final = """
SELECT k.site, k.customer, t.tier, coalesce(s.surge, false) AS surge, k.subject, k.request_id, r.fingerprint, r.reply
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (site, customer, subject, request_id)
LEFT JOIN customer_tiers t ON t.site = k.site AND t.customer = k.customer
LEFT JOIN site_states s ON s.site = k.site
LEFT JOIN kefu_requests r ON r.subject = k.subject AND r.request_id = k.request_id
"""
_TARGETS: Final = """
SELECT a.site, a.person, a.display_name_sealed, a.certified,
    a.active AND a.presence = 'AVAILABLE' AND a.load < a.capacity AS takes_work
FROM agents a JOIN unnest($1::text[], $2::text[]) AS k (site, person) USING (site, person)
"""


async def lock(tx: Transaction, keys: Iterable[Key], *, wait: bool = True) -> dict[Key, Conversation]:
    """Lock conversations by (site, id) and return them; without `wait`, only those that nobody else holds."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    found = await tx.fetch(_LOCK if wait else _LOCK_FREE, *_columns(ordered))
    return {(c.site, c.id): c for c in map(rows.conversation, found)}


@dataclass(frozen=True, slots=True)
class Stored:
    """A reply that is stored for a command of the group, with the fingerprint of the request that it answered."""

    fingerprint: bytes
    reply: bytes


async def lock_with_replies(
    tx: Transaction, commands: Sequence[tuple[str, str, str, str]]
) -> tuple[list[Conversation], dict[int, Stored]]:
    """Lock the conversations of commands (site, id, subject, request id); stored replies by their places."""
    conversations: dict[Key, Conversation] = {}
    stored: dict[int, Stored] = {}
    for record in await tx.fetch(_LOCK_WITH_REPLIES, *_columns(commands)) if commands else ():
        *values, nth, fingerprint, reply = record
        if (record[0], record[1]) not in conversations:
            conversations[record[0], record[1]] = rows.conversation(values)
        if fingerprint is not None:
            stored[nth - 1] = Stored(fingerprint, reply)
    return list(conversations.values()), stored


async def existing(tx: Transaction, keys: Iterable[Key]) -> set[Key]:
    """Return which conversations there are."""
    return {(row["site"], row["id"]) for row in await tx.fetch(_EXISTING, *_columns(sorted(keys)))}


async def lock_found(
    tx: Transaction, external: Iterable[tuple[str, str, str]], bursts: Iterable[Key]
) -> list[Conversation]:
    """Lock what is known under (site, channel, external id), and what customers' next words would find."""
    by_id, by_burst = sorted(set(external)), sorted(set(bursts))
    if not by_id and not by_burst:
        return []
    given = (_columns(by_id) if by_id else [[], [], []]), (_columns(by_burst) if by_burst else [[], []])
    return [rows.conversation(row) for row in await tx.fetch(_LOCK_FOUND, *given[0], *given[1])]


async def sent_before(tx: Transaction, keys: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], Message]:
    """Return the messages that are stored already under (site, conversation, external id)."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    found = map(rows.message, await tx.fetch(_TWICE, *_columns(ordered)))
    return {(m.site, m.conversation, m.external_id): m for m in found}


@dataclass(frozen=True, slots=True)
class Known:
    """What first words are judged by: tiers by (site, customer) where they are known, the sites that are in surge mode;
    and the replies that are stored already by (subject, request id)."""

    tiers: Mapping[Key, str] = field(default_factory=dict)
    surges: frozenset[str] = frozenset()
    stored: Mapping[Key, Stored] = field(default_factory=dict)


async def known(tx: Transaction, commands: Sequence[tuple[str, str, str, str]]) -> Known:
    """Return what is known to commands (site, customer, subject, request id) that are, or may be, first words."""
    found = await tx.fetch(_KNOWN, *_columns(commands)) if commands else ()
    return Known(
        {(row["site"], row["customer"]): row["tier"] for row in found if row["tier"]},
        frozenset(row["site"] for row in found if row["surge"]),
        {
            (row["subject"], row["request_id"]): Stored(row["fingerprint"], row["reply"])
            for row in found
            if row["fingerprint"] is not None
        },
    )


async def targets(tx: Transaction, keys: Iterable[Key]) -> dict[Key, Target]:
    """Return people by (site, person). Not locked: the write has the last word."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    found = await tx.fetch(_TARGETS, *_columns(ordered))
    return {
        (row["site"], row["person"]): Target(
            row["person"],
            takes_work=row["takes_work"],
            certified=row["certified"],
            name_sealed=row["display_name_sealed"],
        )
        for row in found
    }


def _columns(keys: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [list(column) for column in zip(*keys, strict=True)]
