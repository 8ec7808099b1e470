"""What qa knows of a customer: the recordings of their conversations, and the sound and picture in them.

Transcripts are intake's words. Reviews are about the person who served; of them the customer gets what quotes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from services.kit.db import Reading
from services.kit.subjects import PART_BYTES, File, Rows
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
_CONTENTS: Final = f"""
SELECT r.recording_id::text AS id, c.size_bytes FROM {_MINE} JOIN contents c USING (site, recording_id)
WHERE r.state <> 'EXPIRED' AND r.sha256 <> '' AND r.recording_id::text >= $3 ORDER BY r.recording_id::text
"""

Read = Callable[[str, str, int, int], Awaitable[tuple[Content, bytes]]]
"""Reads (site, recording, offset, length) of a content."""


async def sections(tx: Reading, site: str, customers: Sequence[str]) -> AsyncIterator[tuple[str, Rows]]:
    """The rows."""
    for name, query in _SECTIONS.items():
        yield name, await tx.fetch(query, site, list(customers))


def files(read: Read) -> Callable[[Reading, str, Sequence[str], str], AsyncIterator[File]]:
    """The reader of contents, in pieces; one whose key was destroyed meanwhile ends the export with an error."""

    async def pieces(tx: Reading, site: str, customers: Sequence[str], after: str) -> AsyncIterator[File]:
        begun, _, done = after.partition("/")
        for row in await tx.fetch(_CONTENTS, site, list(customers), begun):
            first = int(done) + PART_BYTES if row["id"] == begun else 0
            for offset in range(first, row["size_bytes"], PART_BYTES):
                content, piece = await read(site, row["id"], offset, PART_BYTES)
                position = f"{row['id']}/{offset:012d}"
                yield File(f"recordings/{row['id']}", content.media_type, piece, position, offset)

    return pieces
