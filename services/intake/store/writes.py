"""What a group of commands leaves behind: one statement, whatever the size of the group.

Rows travel as arrays of the composite types of the migration: asyncpg looks at every element of a plain array to see
whether it is a nested one, but at a tuple only once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from services.intake.domain.clock import Change, What
from services.intake.domain.conversation import COLUMNS, Conversation, Message
from services.intake.domain.history import Entry
from services.intake.store import rows
from services.kit import outbox, timers
from services.kit.db import Transaction
from services.kit.errors import Aborted
from services.kit.outbox import Row
from services.kit.timers import Timer
from services.kit.uow import Reply

_SAVE: Final = """
SELECT intake_save(
    $1::conversation_light_2[], $2::conversation_whole_2[], $3::conversation_whole_2[], $4::message_row[],
    $5::history_row[], $6::outcome_row[], $7::fact_row[], $8::reply_row[], $9, $10, $11, $12, $13, $14,
    $15::load_row[], $16)
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
    """Everything of a group. `changed` has (as loaded, as it is to be), None for what is new; `loads` what to add to
    people's loads by (site, person)."""

    changed: Sequence[tuple[Conversation | None, Conversation]]
    messages: Iterable[Message] = ()
    entries: Iterable[tuple[Conversation, Entry]] = ()
    changes: Iterable[tuple[Conversation, str, Change]] = ()
    facts: Sequence[tuple[Row, str]] = ()
    replies: Iterable[Reply] = ()
    timers: Sequence[Timer] = ()
    loads: Mapping[tuple[str, str], int] = field(default_factory=dict)


async def save(tx: Transaction, batch: Batch) -> None:
    """Write a batch.

    Raises Aborted if a conversation is gone, driver errors where a constraint says no: somebody's load, for example,
    never exceeds their capacity.
    """
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
        _SAVE,
        light,
        whole,
        fresh,
        list(batch.messages),
        [_entry(conversation, entry) for conversation, entry in batch.entries],
        _outcomes(batch.changes),
        [(fact.id, fact.subject, fact.aggregate, fact.version, fact.payload, trace) for fact, trace in batch.facts],
        [(reply.subject, reply.request_id, reply.method, reply.fingerprint, reply.reply) for reply in batch.replies],
        *timers.arm_columns(batch.timers),
        [(site, person, delta) for (site, person), delta in batch.loads.items() if delta],
        tx.now,
    )
    if updated != len(light) + len(whole):
        raise Aborted
    timers.hint(tx, batch.timers)
    if batch.facts:
        tx.hint(outbox.CHANNEL)


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
