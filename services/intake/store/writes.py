"""What a group of commands leaves behind: one statement, whatever the size of the group.

Rows travel as arrays of the composite types of the migration: asyncpg looks at every element of a plain array to see
whether it is a nested one, but at a tuple only once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from services.intake.domain.clock import Change, What
from services.intake.domain.conversation import COLUMNS, Conversation, Message
from services.intake.domain.history import Entry
from services.intake.store import rows
from services.kit import outbox
from services.kit.db import Transaction
from services.kit.errors import Aborted
from services.kit.outbox import Row
from services.kit.uow import Reply

_STORE: Final = """
SELECT intake_store_2(
    $1::conversation_light_2[], $2::conversation_whole_2[], $3::conversation_whole_2[], $4::message_row[],
    $5::history_row[], $6::outcome_row[], $7::fact_row[], $8::reply_row[])
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
_DONE: Final = frozenset({What.MET, What.STOPPED_LATE})

# What a message may change; all else is written only when some of it differs. As `conversation_light_2` has them.
_LIGHT: Final = (
    "version",
    "updated_at",
    "clocks",
    "customer_at",
    "first_response_at",
    "bot_until",
    "timer_at",
    "profile_version",
    "silent",
)
_heavy: Final = attrgetter(*(column for column in COLUMNS if column not in _LIGHT))
_whole: Final = attrgetter(*COLUMNS)
_CLOCKS: Final = COLUMNS.index("clocks")


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything of a group. `changed` has (as loaded, as it is to be), None for what is new."""

    changed: Sequence[tuple[Conversation | None, Conversation]]
    messages: Iterable[Message] = ()
    entries: Iterable[tuple[Conversation, Entry]] = ()
    changes: Iterable[tuple[Conversation, str, Change]] = ()
    facts: Sequence[tuple[Row, str]] = ()
    replies: Iterable[Reply] = ()


async def store(tx: Transaction, batch: Batch) -> None:
    """Write a batch. Raises Aborted if a conversation is gone, driver errors where a constraint says no."""
    light: list[tuple[Any, ...]] = []
    whole: list[tuple[Any, ...]] = []
    fresh: list[tuple[Any, ...]] = []
    for before, after in batch.changed:
        if before is None:
            fresh.append(_row(after))
        elif _heavy(before) == _heavy(after):
            light.append(_light_row(after))
        else:
            whole.append(_row(after))
    updated = await tx.fetchval(
        _STORE,
        light,
        whole,
        fresh,
        list(batch.messages),
        [_entry(conversation, entry) for conversation, entry in batch.entries],
        _outcomes(batch.changes),
        [(fact.id, fact.subject, fact.aggregate, fact.version, fact.payload, trace) for fact, trace in batch.facts],
        [(reply.subject, reply.request_id, reply.method, reply.fingerprint, reply.reply) for reply in batch.replies],
    )
    if updated != len(light) + len(whole):
        raise Aborted
    if batch.facts:
        tx.hint(outbox.CHANNEL)


async def shift_loads(tx: Transaction, loads: Counter[tuple[str, str]], now: datetime) -> None:
    """Add to people's loads by (site, person). The table refuses what would exceed somebody's capacity."""
    shifted = sorted((site, person, delta) for (site, person), delta in loads.items() if delta)
    if shifted:
        await tx.execute(_LOADS, *map(list, zip(*shifted, strict=True)), now)


def _light_row(c: Conversation) -> tuple[Any, ...]:
    return (
        c.site,
        c.id,
        c.version,
        c.updated_at,
        rows.clocks(c.clocks),
        c.customer_at,
        c.first_response_at,
        c.bot_until,
        c.timer_at,
        c.profile_version,
        c.silent,
    )


def _row(c: Conversation) -> tuple[Any, ...]:
    values = list(_whole(c))
    values[_CLOCKS] = rows.clocks(c.clocks)
    return tuple(values)


def _entry(c: Conversation, e: Entry) -> tuple[Any, ...]:
    return (
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


def _outcomes(changes: Iterable[tuple[Conversation, str, Change]]) -> list[tuple[Any, ...]]:
    """Return a row for each promise that came due or was settled, with who had the conversation then."""
    settled: dict[tuple[str, str, str, int], tuple[Any, ...]] = {}
    for c, person, change in changes:
        outcome = _SETTLED.get(change.what)
        if outcome is None:
            continue
        clock = change.clock
        stopped_at = change.at if change.what in _DONE else None
        settled_at = clock.due_at if outcome == "BREACHED" else change.at
        key = (c.site, c.id, clock.kind.value, clock.number)
        times = (clock.started_at, clock.due_at, settled_at, stopped_at)
        settled[key] = (*key, clock.queue, person, outcome, *times, clock.target_s, change.elapsed_s)
    return list(settled.values())
