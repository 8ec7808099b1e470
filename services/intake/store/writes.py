"""What a group of commands leaves behind, table by table; one statement each, whatever the size of the group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from services.intake.domain.clock import Change, What
from services.intake.domain.conversation import COLUMNS, Conversation, Message
from services.intake.domain.history import Entry
from services.intake.store import rows
from services.kit.db import Transaction
from services.kit.errors import Aborted

_TYPES: Final = {
    "customer_name_sealed": "bytea",
    "version": "bigint",
    "transfers": "integer",
    "rating": "integer",
    "rings": "integer",
    "answered_at": "timestamptz",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "queued_at": "timestamptz",
    "assigned_at": "timestamptz",
    "customer_at": "timestamptz",
    "first_response_at": "timestamptz",
    "ended_at": "timestamptz",
    "rating_until": "timestamptz",
    "bot_until": "timestamptz",
    "timer_at": "timestamptz",
    "handed_to_person": "boolean",
    "simulated": "boolean",
}
# An array of arrays cannot be unnested: people's ids, which hold no comma, travel as one text.
_KEYS: Final = ("site", "id")
_FIXED: Final = (
    *_KEYS,
    "channel",
    "external_id",
    "customer",
    "customer_name_sealed",
    "tier",
    "subject",
    "created_at",
    "simulated",
)
# What a message may change. The other columns are written only when one of them differs.
_LIGHT: Final = (
    "version",
    "updated_at",
    "clocks",
    "customer_at",
    "first_response_at",
    "bot_until",
    "timer_at",
    "profile_version",
)
_HEAVY: Final = tuple(column for column in COLUMNS if column not in _FIXED and column not in _LIGHT)


def _parameters(columns: Sequence[str]) -> str:
    return ", ".join(f"${number}::{_TYPES.get(column, 'text')}[]" for number, column in enumerate(columns, start=1))


def _value(column: str, alias: str) -> str:
    return f"string_to_array({alias}.{column}, ',')" if column == "refused" else f"{alias}.{column}"


def _update(columns: Sequence[str]) -> str:
    given = (*_KEYS, *columns)
    sets = ", ".join(f"{column} = {_value(column, 'n')}" for column in columns)
    return (
        f"UPDATE conversations c SET {sets} FROM unnest({_parameters(given)}) AS n ({', '.join(given)})"
        " WHERE c.site = n.site AND c.id = n.id"
    )


_UPDATE_LIGHT: Final = _update(_LIGHT)
_UPDATE: Final = _update((*_LIGHT, *_HEAVY))
_INSERT: Final = (
    f"INSERT INTO conversations ({', '.join(COLUMNS)}) SELECT {', '.join(_value(column, 'n') for column in COLUMNS)}"
    f" FROM unnest({_parameters(COLUMNS)}) AS n ({', '.join(COLUMNS)})"
)
_FORGET_BURSTS: Final = """
UPDATE conversations c SET burst_key = '' FROM unnest($1::text[], $2::text[]) AS n (site, id)
WHERE c.site = n.site AND c.id = n.id
"""
_MESSAGES: Final = """
INSERT INTO messages (site, conversation, id, author_kind, author, kind, text, created_at, external_id, attachment)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[], $9::text[], $10::text[])
"""
_HISTORY: Final = """
INSERT INTO conversation_history
    (site, conversation, version, at, actor, what, state, assignee, queue, profile_version, fact, number)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::integer[])
"""
_OUTCOMES: Final = """
INSERT INTO clock_outcomes AS o
    (site, conversation, kind, number, queue, person, outcome, started_at, due_at, settled_at, stopped_at, target_s,
     elapsed_s)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::double precision[],
    $13::double precision[])
ON CONFLICT (site, conversation, kind, number) DO UPDATE
SET stopped_at = excluded.stopped_at, elapsed_s = excluded.elapsed_s, person = excluded.person
"""
_LOADS: Final = """
WITH held AS (
    SELECT a.site, a.person, d.delta
    FROM agents a JOIN unnest($1::text[], $2::text[], $3::integer[]) AS d (site, person, delta)
        ON a.site = d.site AND a.person = d.person
    ORDER BY a.site, a.person
    FOR UPDATE OF a)
UPDATE agents a
SET load = a.load + held.delta,
    idle_since = CASE WHEN a.load + held.delta = 0 THEN $4 ELSE a.idle_since END
FROM held WHERE a.site = held.site AND a.person = held.person
"""
_SETTLED: Final = {
    What.MET: "MET",
    What.BREACHED: "BREACHED",
    What.STOPPED_LATE: "BREACHED",
    What.CANCELLED: "CANCELLED",
}


def _encoder(column: str) -> Callable[[Conversation], Any]:
    if column == "clocks":
        return lambda c: rows.clocks(c.clocks)
    if column == "refused":
        return lambda c: ",".join(c.refused)
    return attrgetter(column)


_ENCODERS: Final = {column: _encoder(column) for column in COLUMNS}
_heavy: Final = attrgetter(*_HEAVY)


async def save(tx: Transaction, changed: Sequence[tuple[Conversation | None, Conversation]]) -> None:
    """Write conversations: (as loaded, as they are to be), None for new ones. Raises Aborted if a row is not there."""
    new = [after for before, after in changed if before is None]
    light: list[Conversation] = []
    heavy: list[Conversation] = []
    for before, after in changed:
        if before is not None:
            (light if _heavy(before) == _heavy(after) else heavy).append(after)
    for query, columns, conversations in (
        (_UPDATE_LIGHT, (*_KEYS, *_LIGHT), light),
        (_UPDATE, (*_KEYS, *_LIGHT, *_HEAVY), heavy),
    ):
        if conversations:
            tag = await tx.execute(query, *_arrays(columns, conversations))
            if int(tag.split()[-1]) != len(conversations):
                raise Aborted
    if new:
        await tx.execute(_INSERT, *_arrays(COLUMNS, new))


async def forget_bursts(tx: Transaction, conversations: Sequence[Conversation]) -> None:
    """Let the customer's next words no longer find these."""
    if conversations:
        await tx.execute(_FORGET_BURSTS, [c.site for c in conversations], [c.id for c in conversations])


async def add_messages(tx: Transaction, messages: Sequence[Message]) -> None:
    """Store messages."""
    if messages:
        await tx.execute(_MESSAGES, *map(list, zip(*map(_message, messages), strict=True)))


async def add_history(tx: Transaction, entries: Iterable[tuple[Conversation, Entry]]) -> None:
    """Append to histories."""
    lines = [
        (
            c.site,
            c.id,
            e.version,
            e.at,
            e.actor,
            e.what,
            e.state,
            e.assignee,
            e.queue,
            e.profile_version,
            e.fact or "",
            e.number,
        )
        for c, e in entries
    ]
    if lines:
        await tx.execute(_HISTORY, *map(list, zip(*lines, strict=True)))


async def add_outcomes(tx: Transaction, changes: Iterable[tuple[Conversation, str, Change]]) -> None:
    """Record promises that came due or were settled, each with the person who had the conversation then."""
    settled: dict[tuple[str, str, str, int], tuple[Any, ...]] = {}
    for c, person, change in changes:
        outcome = _SETTLED.get(change.what)
        if outcome is None:
            continue
        clock = change.clock
        stopped_at = change.at if change.what in {What.MET, What.STOPPED_LATE} else None
        settled_at = clock.due_at if outcome == "BREACHED" else change.at
        times = (clock.started_at, clock.due_at, settled_at, stopped_at, clock.target_s, change.elapsed_s)
        key = (c.site, c.id, clock.kind, clock.number)
        settled[key] = (*key, clock.queue, person, outcome, *times)
    if settled:
        await tx.execute(_OUTCOMES, *map(list, zip(*settled.values(), strict=True)))


async def shift_loads(tx: Transaction, loads: Counter[tuple[str, str]], now: datetime) -> None:
    """Add to people's loads by (site, person). The table refuses what would exceed somebody's capacity."""
    shifted = sorted((site, person, delta) for (site, person), delta in loads.items() if delta)
    if shifted:
        await tx.execute(_LOADS, *map(list, zip(*shifted, strict=True)), now)


def _arrays(columns: Sequence[str], conversations: Sequence[Conversation]) -> list[list[Any]]:
    return [[*map(_ENCODERS[column], conversations)] for column in columns]


_message = attrgetter(*rows.MESSAGE_COLUMNS)
