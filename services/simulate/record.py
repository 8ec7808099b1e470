"""Reads what a replay left behind: conversations and histories through the API, and the same by SQL beside it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
from kefu.intake.v1 import conversation_pb2 as pb

from services.simulate.checker import Entry, Found, Promise, Record
from services.simulate.desk import Desk

_STORED = "SELECT id, external_id, state, version FROM conversations WHERE site = $1"
_OUTCOMES = """
SELECT conversation, kind, number, outcome, started_at, due_at, target_s, settled_at, stopped_at
FROM clock_outcomes WHERE site = $1
"""
_OVERDUE = "SELECT owner_kind || '/' || owner_id FROM kefu_timers WHERE due_at <= kefu_now()"
_ORPHANED = """
SELECT c.external_id FROM conversations c
WHERE c.site = $1 AND c.timer_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM kefu_timers t WHERE t.owner_kind = 'conversation' AND t.owner_id = c.id)
"""
_UNPUBLISHED = "SELECT count(*) FROM kefu_outbox WHERE published_seq IS NULL"
_PARKED = "SELECT count(*) FROM kefu_parked"
QUIET_SECONDS = 0.3
QUIET_TRIES = 30
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


async def record(desk: Desk, dsn: str, *, sent: Mapping[str, str], capacity: Mapping[str, int]) -> Record:
    """Read everything. `dsn` is intake's database; what the API does not tell is read as missing, not guessed."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "intake", "kefu.sites": "*"})
    try:
        stored = {row["id"]: row for row in await connection.fetch(_STORED, desk.site)}
        promises = await _promises(connection, desk.site)
        told = {one.name.rpartition("/")[2]: one async for one in desk.conversations()}
        found = [
            await _found(desk, told.get(id_), stored.get(id_), promises.get(id_, ()))
            for id_ in sorted(told.keys() | stored.keys())
        ]
        return Record(
            sent=sent,
            found=tuple(found),
            capacity=capacity,
            overdue=tuple(row[0] for row in await connection.fetch(_OVERDUE)),
            orphaned=tuple(row[0] for row in await connection.fetch(_ORPHANED, desk.site)),
            unpublished=await _unpublished(desk, connection),
            parked=await connection.fetchval(_PARKED),
        )
    finally:
        await connection.close()


async def _unpublished(desk: Desk, connection: Any) -> int:
    """Events that do not leave, however long one waits: those that nobody listens to leave once a second."""
    left = 0
    for _ in range(QUIET_TRIES):
        left = await connection.fetchval(_UNPUBLISHED)
        if not left:
            break
        await asyncio.sleep(QUIET_SECONDS)
        await desk.advance(BEGINNING)  # an instant long past: only settles
    return left


async def _found(
    desk: Desk, told: pb.Conversation | None, stored: asyncpg.Record | None, promises: tuple[Promise, ...]
) -> Found:
    entries = [entry async for entry in _entries(desk, told.name)] if told is not None else []
    return Found(
        external_id=told.external_id if told is not None else stored["external_id"] if stored is not None else "",
        state=_state(told.state) if told is not None else "",
        version=told.version if told is not None else 0,
        stored_state=stored["state"] if stored is not None else "",
        stored_version=stored["version"] if stored is not None else 0,
        entries=tuple(entries),
        promises=promises,
    )


async def _entries(desk: Desk, name: str) -> AsyncIterator[Entry]:
    async for entry in desk.history(name):
        yield Entry(
            entry.version,
            entry.time.ToDatetime(UTC),
            entry.actor,
            entry.what,
            _state(entry.state),
            entry.assignee,
        )


async def _promises(connection: Any, site: str) -> dict[str, tuple[Promise, ...]]:
    found: dict[str, list[Promise]] = defaultdict(list)
    for row in await connection.fetch(_OUTCOMES, site):
        found[row["conversation"]].append(Promise(*list(row)[1:]))
    return {conversation: tuple(promises) for conversation, promises in found.items()}


def _state(state: pb.Conversation.State.ValueType) -> str:
    return pb.Conversation.State.Name(state).removeprefix("STATE_")
