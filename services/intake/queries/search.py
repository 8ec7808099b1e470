"""The search index: kept by the worker, a moment behind the messages, so that no message waits for it.

An event only notes which conversation has new words; the notes are worked off in batches, each conversation read and
indexed as a whole. Indexing twice changes nothing.

Searchable are subject, summary and the words of messages and of notes among colleagues; never a customer's name
(sealed), need, rating comment, file or follow-up. The index holds those words again, so that whoever erases the texts
calls `clear` in the same transaction; what is still waiting to be indexed then finds the overwritten texts only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from kefu.events.v1.event_pb2 import Event

from services.intake.queries.words import words_of
from services.kit.bus import PASSING
from services.kit.db import Database, Transaction

CONSUMER = "intake-search"
SUBJECTS = ("kefu.intake.*.conversations",)
CHANNEL = "search"
BATCH = 200
POLL_SECONDS = 2.0

_NOTE = "INSERT INTO search_pending (site, conversation) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_TAKE = """
DELETE FROM search_pending WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM search_pending LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING site, conversation
"""
_TEXTS = """
SELECT c.site, c.id, c.subject, c.summary,
       ARRAY(SELECT m.text FROM messages m WHERE m.site = c.site AND m.conversation = c.id AND m.text <> '') AS texts
FROM conversations c JOIN unnest($1::text[], $2::text[]) AS p (site, id) USING (site, id)
"""
_INDEX = """
INSERT INTO search_entries (site, conversation, words)
SELECT site, id, array_to_tsvector(string_to_array(words, chr(10)))
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (site, id, words)
ON CONFLICT (site, conversation) DO UPDATE SET words = excluded.words
"""
_CLEAR = "DELETE FROM search_entries WHERE site = $1 AND conversation = ANY ($2::text[])"

log = logging.getLogger(__name__)


async def note(event: Event, tx: Transaction) -> None:
    """Handle an event of a conversation: note that its words may have changed."""
    if event.WhichOneof("fact") in {"message_added", "conversation_moved"}:
        await tx.execute(_NOTE, event.site, event.aggregate.rpartition("/")[2])
        tx.hint(CHANNEL)


async def index_batch(tx: Transaction) -> int:
    """Index at most `BATCH` of the conversations that were noted; returns how many."""
    taken = await tx.fetch(_TAKE, BATCH)
    if not taken:
        return 0
    rows = await tx.fetch(_TEXTS, [row["site"] for row in taken], [row["conversation"] for row in taken])
    words = ["\n".join(words_of(row["subject"], row["summary"], *row["texts"])) for row in rows]
    await tx.execute(_INDEX, [row["site"] for row in rows], [row["id"] for row in rows], words)
    return len(taken)


async def clear(tx: Transaction, site: str, conversations: list[str]) -> int:
    """Forget the words of conversations, in the transaction that erases their texts; returns how many had any."""
    return int((await tx.execute(_CLEAR, site, conversations)).split()[-1])


class Indexer:
    """Works off what was noted; one of the worker's loops. Any number of them share the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Index for ever; ends by cancellation. Survives the database's absence."""
        hint = self._database.hints.subscribe(CHANNEL)
        try:
            while True:
                hint.clear()
                try:
                    await self.settle()
                except PASSING:
                    log.warning("the search index waits: the database is away or busy")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await hint.wait()
        finally:
            self._database.hints.unsubscribe(CHANNEL, hint)

    async def settle(self) -> int:
        """Index everything that is noted now and return how many conversations that was."""
        total = 0
        while True:
            async with self._database.transaction() as tx:
                done = await index_batch(tx)
            total += done
            if done < BATCH:
                return total
