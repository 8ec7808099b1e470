"""Reading conversations: one, many, their messages and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from services.intake.domain import routing
from services.intake.domain.clock import State as ClockState
from services.intake.domain.conversation import Conversation, Message
from services.intake.domain.history import Entry, Noted
from services.intake.domain.values import ONLINE, State
from services.intake.queries.scope import Scope
from services.intake.queries.words import query_of
from services.intake.store import rows
from services.kit.db import Reading
from services.kit.errors import InvalidArgument, NotFound
from services.policy.profile import Profile

_OVER: Final = "'CLOSED', 'ABANDONED', 'REDIRECTED', 'AWAITING_RATING'"
_GET: Final = f"SELECT {rows.CONVERSATION} FROM conversations c WHERE site = $1 AND id = $2"
_WAITING: Final = f"""
SELECT {rows.CONVERSATION} FROM conversations c
WHERE site = $1 AND queue = $2
  AND (state IN ('QUEUED', 'REOPENED') OR (state = 'HANDOFF_PENDING' AND assignee = ''))
"""
_MESSAGES: Final = f"""
SELECT {rows.MESSAGE} FROM messages m
WHERE site = $1 AND conversation = $2 AND ($3 OR kind <> 'NOTE')
  AND ($4::timestamptz IS NULL OR (created_at, id) > ($4, $5))
  AND ($7::text IS NULL OR EXISTS (SELECT FROM conversations c WHERE c.site = $1 AND c.id = $2 AND c.customer = $7))
ORDER BY created_at, id LIMIT $6
"""
_SINCE: Final = f"""
SELECT {rows.MESSAGE} FROM messages m
WHERE site = $1 AND conversation = $2 AND ($3 OR kind <> 'NOTE') AND created_at >= $4
  AND NOT (created_at = $4 AND right(id, 6) = ANY ($5::text[]))
ORDER BY created_at, id LIMIT $6
"""
_HISTORY: Final = """
SELECT version, at, actor, what, state, assignee, queue, profile_version, fact, number FROM conversation_history
WHERE site = $1 AND conversation = $2 AND version > $3 ORDER BY version LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a list; empty means all. `text` is searched in messages, subject and summary."""

    states: Sequence[str] = ()
    queue: str = ""
    assignee: str = ""
    customer: str = ""
    text: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None


async def get(tx: Reading, scope: Scope, site: str, conversation: str) -> Conversation:
    """Return a conversation. Raises NotFound, to a customer PermissionDenied for all but their own."""
    row = await tx.fetchrow(_GET, site, conversation)
    found = rows.conversation(row) if row is not None else None
    scope.check(found)
    if found is None:
        raise NotFound
    return found


async def queue_position(tx: Reading, conversation: Conversation, profile: Profile) -> int:
    """Return its place in its queue by the order of service, 1 for the next; 0 when it does not wait."""
    if not conversation.waits:
        return 0
    rules = routing.Rules.of(profile)
    found = await tx.fetch(_WAITING, conversation.site, conversation.queue)
    waiting = [_waiting(rows.conversation(row)) for row in found]
    line = [one.conversation for one in routing.order(waiting, rules, tx.now)]
    return line.index(conversation.id) + 1 if conversation.id in line else 0


async def page(
    tx: Reading,
    scope: Scope,
    site: str,
    filters: Filters,
    *,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Conversation]:
    """Return conversations newest first, those before `after` (created_at, id) in that order.

    Raises InvalidArgument for a customer who searches.
    """
    if scope.customer is not None:
        if filters.text:  # the index knows the words of notes, which customers never see
            raise InvalidArgument.field("query", "only people at the desk search for words")
        filters = replace(filters, customer=scope.customer)
    conditions, arguments = ["c.site = $1"], [site]

    def where(condition: str, *values: Any) -> None:
        numbers = [f"${len(arguments) + n}" for n in range(1, len(values) + 1)]
        conditions.append(condition.format(*numbers))
        arguments.extend(values)

    if filters.text:
        words = query_of(filters.text)
        if words is None:
            return []
        where(
            "EXISTS (SELECT FROM search_entries s WHERE s.site = c.site AND s.conversation = c.id"
            " AND s.words @@ {}::tsquery)",
            words,
        )
    if filters.states:
        where("c.state = ANY ({}::text[])", list(filters.states))
        if ONLINE.issuperset(filters.states):  # said literally, so that the partial index of what is open fits
            where(f"c.state NOT IN ({_OVER})")
    if filters.assignee:
        where("c.assignee <> ''")
    for column in ("queue", "assignee", "customer"):
        if value := getattr(filters, column):
            where(f"c.{column} = {{}}", value)
    if filters.created_from is not None:
        where("c.created_at >= {}", filters.created_from)
    if filters.created_to is not None:
        where("c.created_at < {}", filters.created_to)
    if after is not None:
        where("(c.created_at, c.id) < ({}, {})", *after)
    query = (
        f"SELECT {rows.CONVERSATION} FROM conversations c WHERE {' AND '.join(conditions)}"
        f" ORDER BY c.created_at DESC, c.id DESC LIMIT {int(limit)}"
    )
    return [rows.conversation(row) for row in await tx.fetch(query, *arguments)]


async def messages(
    tx: Reading,
    scope: Scope,
    site: str,
    conversation: str,
    *,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Message]:
    """Return messages oldest first; customers get no notes, and nothing of a conversation that is not theirs."""
    at, id_ = after or (None, "")
    found = await tx.fetch(_MESSAGES, site, conversation, scope.sees_notes, at, id_, limit, scope.customer)
    return [rows.message(row) for row in found]


async def messages_since(
    tx: Reading,
    scope: Scope,
    site: str,
    conversation: str,
    *,
    since: datetime,
    seen: Sequence[str],
    limit: int,
) -> list[Message]:
    """Return messages of `since` or later, oldest first, without those of that very instant that were `seen`.

    `seen` holds the last six characters of their ids, so that it fits into a cursor. Times of one conversation never
    go back, but its ids may when two processes write it; so time leads.
    """
    found = await tx.fetch(_SINCE, site, conversation, scope.sees_notes, since, list(seen), limit)
    return [rows.message(row) for row in found]


async def history(tx: Reading, site: str, conversation: str, *, after: int, limit: int) -> list[Entry]:
    """Return entries of the history after a version, oldest first."""
    return [
        Entry(
            version=row["version"],
            at=row["at"],
            actor=row["actor"],
            what=row["what"],
            state=State(row["state"]),
            assignee=row["assignee"],
            queue=row["queue"],
            profile_version=row["profile_version"],
            detail=Noted(),
        )
        for row in await tx.fetch(_HISTORY, site, conversation, after, limit)
    ]


def _waiting(conversation: Conversation) -> routing.Waiting:
    """See a conversation as the router does: by the promise that is next to break."""
    running = [clock for clock in conversation.clocks if clock.open and clock.state is not ClockState.PAUSED]
    due = min(running, key=lambda clock: clock.due_at, default=None)
    return routing.Waiting(
        conversation.id,
        conversation.queued_at or conversation.created_at,
        tier=conversation.tier,
        due_at=due.due_at if due else None,
        target_s=due.target_s if due else 0.0,
    )
