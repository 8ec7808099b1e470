"""Follow-ups, by row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from services.intake.domain.follow_up import FollowUp, State
from services.kit.db import Transaction

_COLUMNS: Final = (
    "site, conversation, id, state, version, due_at, miss_at, person, note, outcome, created_at, updated_at"
)
_INSERT: Final = f"INSERT INTO follow_ups ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_LOCK: Final = f"SELECT {_COLUMNS} FROM follow_ups WHERE site = $1 AND conversation = $2 AND id = $3 FOR UPDATE"
_GET: Final = f"SELECT {_COLUMNS} FROM follow_ups WHERE site = $1 AND conversation = $2 AND id = $3"
_LOCK_FREE: Final = f"""
SELECT {_COLUMNS} FROM follow_ups WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE SKIP LOCKED
"""
_EXISTING: Final = "SELECT id FROM follow_ups WHERE id = ANY ($1::text[])"
_UPDATE: Final = """
UPDATE follow_ups f SET state = n.state, version = n.version, outcome = n.outcome, updated_at = n.updated_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[])
    AS n (id, state, version, outcome, updated_at)
WHERE f.id = n.id
"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM follow_ups
WHERE site = $1 AND ($2 = '' OR conversation = $2) AND ($3::text[] = '{{}}' OR state = ANY ($3))
  AND ($4::timestamptz IS NULL OR (due_at, id) > ($4, $5))
ORDER BY due_at, id LIMIT $6
"""
_WORKS_HERE: Final = "SELECT EXISTS (SELECT FROM agents WHERE site = $1 AND person = $2 AND active)"
_ERASE: Final = """
UPDATE follow_ups SET note = '', outcome = ''
WHERE site = $1 AND conversation = ANY ($2::text[]) AND (note <> '' OR outcome <> '')
"""


async def works_here(tx: Transaction, site: str, person: str) -> bool:
    """Whether a person works at a site."""
    return bool(await tx.fetchval(_WORKS_HERE, site, person))


async def insert(tx: Transaction, planned: FollowUp) -> None:
    """Store a new one."""
    await tx.execute(_INSERT, *_values(planned))


async def get(tx: Transaction, site: str, conversation: str, id_: str, *, lock: bool = False) -> FollowUp | None:
    """Return one, locked where it is to change."""
    row = await tx.fetchrow(_LOCK if lock else _GET, site, conversation, id_)
    return None if row is None else _follow_up(row)


async def lock_free(tx: Transaction, ids: Sequence[str]) -> list[FollowUp]:
    """Lock and return those that nobody else holds."""
    return [_follow_up(row) for row in await tx.fetch(_LOCK_FREE, sorted(ids))]


async def existing(tx: Transaction, ids: Sequence[str]) -> set[str]:
    """Return which follow-ups there are."""
    return {row["id"] for row in await tx.fetch(_EXISTING, list(ids))}


async def save(tx: Transaction, changed: Sequence[FollowUp]) -> None:
    """Write what changes in a follow-up's life."""
    await tx.execute(
        _UPDATE,
        [one.id for one in changed],
        [one.state for one in changed],
        [one.version for one in changed],
        [one.outcome for one in changed],
        [one.updated_at for one in changed],
    )


async def page(
    tx: Transaction,
    site: str,
    conversation: str,
    *,
    states: Sequence[str],
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[FollowUp]:
    """Return those of a conversation, or with "" of the whole site, by due time."""
    at, id_ = after or (None, "")
    return [_follow_up(row) for row in await tx.fetch(_LIST, site, conversation, list(states), at, id_, limit)]


async def erase(tx: Transaction, site: str, conversations: list[str]) -> int:
    """Overwrite the words of conversations' follow-ups; returns how many."""
    return int((await tx.execute(_ERASE, site, conversations)).split()[-1])


def _follow_up(row: asyncpg.Record) -> FollowUp:
    values = list(row)
    values[3] = State(values[3])
    return FollowUp(*values)


def _values(of: FollowUp) -> tuple[object, ...]:
    return (
        of.site,
        of.conversation,
        of.id,
        of.state,
        of.version,
        of.due_at,
        of.miss_at,
        of.person,
        of.note,
        of.outcome,
        of.created_at,
        of.updated_at,
    )
