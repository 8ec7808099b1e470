"""The search index: kept by the worker, a moment behind the messages, so that no message waits for it.

Whatever writes words leaves a row in `search_queue` (triggers of the tables themselves), and the worker adds those
words to the conversation's. Only new messages are read: one more costs the same after two as after a thousand. Indexing
twice changes nothing. Words of a summary that was replaced stay findable.

Searchable are subject, summary and the words of messages and of notes among colleagues; never a customer's name
(sealed), need, rating comment, file or follow-up. The index holds those words again, so that whoever erases the texts
calls `clear` in the same transaction; what is still waiting to be indexed then finds the overwritten texts only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from services.intake.queries.words import words_of
from services.kit.bus import PASSING
from services.kit.db import Database, Transaction

BATCH = 500
# What comes within it is indexed together: a conversation's row is written once for several messages.
POLL_SECONDS = 1.0

_TAKE = """
DELETE FROM search_queue WHERE ctid = ANY (ARRAY(SELECT ctid FROM search_queue LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING site, conversation, message
"""
_TEXTS = """
WITH taken AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS t (site, conversation, message))
SELECT t.site, t.conversation, m.text
FROM taken t JOIN messages m ON m.site = t.site AND m.conversation = t.conversation AND m.id = t.message
UNION ALL
SELECT t.site, t.conversation, concat_ws(' ', c.subject, c.summary)
FROM taken t JOIN conversations c ON c.site = t.site AND c.id = t.conversation
WHERE t.message = ''
"""
# In one order, so that two indexers never wait for each other in a circle.
_INDEX = """
INSERT INTO search_entries AS s (site, conversation, words)
SELECT site, conversation, array_to_tsvector(string_to_array(words, chr(10)))
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (site, conversation, words)
ORDER BY site, conversation
ON CONFLICT (site, conversation) DO UPDATE SET words = s.words || excluded.words
WHERE s.words || excluded.words <> s.words
"""
# First what waits: an indexer that has read it already is waited for, and its words go with the others.
_FORGET = "DELETE FROM search_queue WHERE site = $1 AND conversation = ANY ($2::text[])"
_CLEAR = "DELETE FROM search_entries WHERE site = $1 AND conversation = ANY ($2::text[])"

log = logging.getLogger(__name__)


async def index_batch(tx: Transaction) -> int:
    """Index at most `BATCH` of what was noted; returns how many."""
    taken = await tx.fetch(_TAKE, BATCH)
    if not taken:
        return 0
    texts: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for site, conversation, text in await tx.fetch(_TEXTS, *map(list, zip(*taken, strict=True))):
        texts[site, conversation].append(text)
    rows = [(*key, "\n".join(words)) for key, of_one in texts.items() if (words := words_of(*of_one))]
    if rows:
        await tx.execute(_INDEX, *map(list, zip(*rows, strict=True)))
    return len(taken)


async def clear(tx: Transaction, site: str, conversations: list[str]) -> int:
    """Forget the words of conversations, in the transaction that erases their texts; returns how many had any."""
    await tx.execute(_FORGET, site, conversations)
    return int((await tx.execute(_CLEAR, site, conversations)).split()[-1])


class Indexer:
    """Works off what was noted; one of the worker's loops. Any number of them share the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Index for ever; ends by cancellation. Survives the database's absence."""
        while True:
            try:
                await self.settle()
            except PASSING:
                log.warning("the search index waits: the database is away or busy")
            await asyncio.sleep(POLL_SECONDS)

    async def settle(self) -> int:
        """Index everything that is noted now and return how many rows of the queue that was."""
        total = 0
        while True:
            # what a power cut takes from the index it gives back to the queue
            async with self._database.transaction(durable=False) as tx:
                done = await index_batch(tx)
            total += done
            if done < BATCH:
                return total
