"""What qa knows of a customer: the recordings of their conversations, and the sound and picture in them.

Transcripts are intake's words. Reviews are about the person who served; of them the customer gets what quotes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from services.kit.db import Database, Reading
from services.kit.subjects import PART_BYTES, File, NextFile, Rows
from services.qa.domain.content import Content
from services.qa.store.recordings import OF_CUSTOMERS

_MINE: Final = f"(SELECT * FROM recordings WHERE {OF_CUSTOMERS}) AS r"
_SECTIONS: Final = {
    "recordings": f"""
SELECT recording_id, kind, state, subject, channel, queue, started_at, ended_at, media_type, size_bytes, sha256
FROM {_MINE} ORDER BY ended_at, recording_id
""",
    "reviewers_words": f"""
SELECT v.recording_id, v.submitted_at, v.answers, v.evidence, v.coaching, v.dispute
FROM reviews v JOIN {_MINE} USING (site, recording_id) WHERE v.submitted_at IS NOT NULL ORDER BY v.submitted_at
""",
}
# The piece after (recording, offset): of the same recording, or the first one of the next.
_NEXT: Final = f"""
SELECT r.recording_id::text AS id, CASE WHEN r.recording_id::text = $3 THEN $4 ELSE 0 END AS first
FROM {_MINE} JOIN contents c USING (site, recording_id)
WHERE r.state <> 'EXPIRED' AND r.sha256 <> ''
  AND (r.recording_id::text > $3 OR r.recording_id::text = $3 AND c.size_bytes > $4)
ORDER BY r.recording_id::text LIMIT 1
"""

Read = Callable[[str, str, int, int], Awaitable[tuple[Content, bytes]]]
"""Reads (site, recording, offset, length) of a content."""


async def sections(tx: Reading, site: str, customers: Sequence[str]) -> AsyncIterator[tuple[str, Rows]]:
    """The rows."""
    for name, query in _SECTIONS.items():
        yield name, await tx.fetch(query, site, list(customers))


def next_file(database: Database, read: Read) -> NextFile:
    """The reader of contents, in pieces; one whose key was destroyed meanwhile ends the export with an error."""

    async def piece(site: str, customers: Sequence[str], after: str) -> File | None:
        begun, _, done = after.partition("/")
        async with database.reading(sites=[site]) as tx:
            row = await tx.fetchrow(_NEXT, site, list(customers), begun, int(done) + PART_BYTES if done else 0)
        if row is None:
            return None
        id_, offset = row["id"], row["first"]
        content, found = await read(site, id_, offset, PART_BYTES)
        return File(f"recordings/{id_}", content.media_type, found, f"{id_}/{offset:012d}", offset)

    return piece
