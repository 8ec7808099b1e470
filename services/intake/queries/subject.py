"""Everything that intake knows of a customer, in the clear: for the customer, and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from services.intake.convert import Converter
from services.kit.db import Database, Reading
from services.kit.subjects import File, NextFile, Rows

_CONVERSATIONS: Final = """
SELECT id, customer, channel, external_id, queue, customer_name_sealed, tier, subject, state, need, source, summary,
       rating, rating_comment, created_at, ended_at
FROM conversations WHERE site = $1 AND customer = ANY ($2::text[]) ORDER BY created_at, id
"""
# Everything else hangs on the customer's conversations.
_OF: Final = "FROM {table} t JOIN conversations c ON c.site = t.site AND c.id = t.conversation"
_MINE: Final = "WHERE c.site = $1 AND c.customer = ANY ($2::text[])"
_SECTIONS: Final = {
    "messages": f"""SELECT t.conversation, t.id, t.author_kind, t.author, t.kind, t.text, t.created_at
                    {_OF.format(table="messages")} {_MINE} ORDER BY t.created_at, t.id""",
    "follow_ups": f"""SELECT t.conversation, t.id, t.state, t.due_at, t.note, t.outcome
                      {_OF.format(table="follow_ups")} {_MINE} ORDER BY t.due_at, t.id""",
    "promises": f"""SELECT t.conversation, t.kind, t.outcome, t.started_at, t.due_at, t.stopped_at
                    {_OF.format(table="clock_outcomes")} {_MINE} ORDER BY t.started_at, t.conversation""",
    "tiers": "SELECT customer, tier FROM customer_tiers WHERE site = $1 AND customer = ANY ($2::text[])",
    "attachments": f"""SELECT t.conversation, t.id, t.file_name, t.media_type, t.size_bytes, t.sha256, t.created_at
                       {_OF.format(table="attachments")} {_MINE} ORDER BY t.conversation, t.id""",
}
_NEXT_FILE: Final = f"""
SELECT t.conversation || '/' || t.id AS name, t.media_type, t.content {_OF.format(table="attachments")}
{_MINE} AND t.erased_at IS NULL AND t.conversation || '/' || t.id > $3 COLLATE "C"
ORDER BY t.conversation || '/' || t.id LIMIT 1
"""


def sections(converter: Converter) -> Callable[[Reading, str, Sequence[str]], AsyncIterator[tuple[str, Rows]]]:
    """The reader of sections; names are opened by `converter`."""

    async def read(tx: Reading, site: str, customers: Sequence[str]) -> AsyncIterator[tuple[str, Rows]]:
        rows = await tx.fetch(_CONVERSATIONS, site, list(customers))
        yield "conversations", [_named(dict(row), converter, site) for row in rows]
        for name, query in _SECTIONS.items():
            yield name, await tx.fetch(query, site, list(customers))

    return read


def next_file(database: Database) -> NextFile:
    """The reader of what was attached."""

    async def read(site: str, customers: Sequence[str], after: str) -> File | None:
        async with database.reading(sites=[site]) as tx:
            row = await tx.fetchrow(_NEXT_FILE, site, list(customers), after)
        return None if row is None else File(row["name"], row["media_type"], row["content"], row["name"])

    return read


def _named(row: dict[str, Any], converter: Converter, site: str) -> dict[str, Any]:
    sealed = row.pop("customer_name_sealed")
    return row | {"customer_name": converter.opened_customer(site, row["customer"], sealed)}
