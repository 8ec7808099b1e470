"""SQL of contents: uploads and their parts, playbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.content import Content

_GET: Final = """
SELECT upload, media_type, size_bytes, sha256, key_sealed, completed_at FROM contents
WHERE site = $1 AND recording_id = $2
"""
_START: Final = """
INSERT INTO contents (site, recording_id, upload, media_type, size_bytes, sha256, key_sealed, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_PARTS: Final = """
SELECT number, sha256 FROM parts
WHERE site = $1 AND recording_id = $2 AND ($3::integer[] IS NULL OR number = ANY ($3)) ORDER BY number
"""
_PUT_PART: Final = """
INSERT INTO parts (site, recording_id, number, sha256)
SELECT $1, $2, $3, $4 FROM contents WHERE site = $1 AND recording_id = $2 AND upload = $5 FOR SHARE
ON CONFLICT (site, recording_id, number) DO UPDATE SET sha256 = parts.sha256 RETURNING sha256
"""
_COMPLETE: Final = """
UPDATE contents SET completed_at = $3 WHERE site = $1 AND recording_id = $2 AND upload = $4 AND completed_at IS NULL
RETURNING true
"""
_DROP: Final = "DELETE FROM contents WHERE site = $1 AND recording_id = $2 AND upload = $3 AND completed_at IS NULL"
_ARRIVE: Final = """
UPDATE recordings SET state = CASE WHEN state = 'REGISTERED' THEN 'AVAILABLE' ELSE state END, missing = false,
    media_type = $3, size_bytes = $4, sha256 = $5
WHERE site = $1 AND recording_id = $2
"""
_PLAY: Final = """
INSERT INTO playbacks (site, playback_id, recording_id, person, unmasked, opened_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_PLAYBACK: Final = """
SELECT person, unmasked, expires_at FROM playbacks
WHERE site = $1 AND recording_id = $2 AND playback_id = $3 AND expires_at > $4
"""
_FORGET_PLAYBACKS: Final = "DELETE FROM playbacks WHERE expires_at <= $1"


@dataclass(frozen=True, slots=True)
class Stored:
    """A content with its sealed key, which is gone once it was destroyed."""

    content: Content
    key_sealed: bytes | None
    completed: bool


@dataclass(frozen=True, slots=True)
class Playback:
    """A recording opened for a person."""

    person: str
    unmasked: bool
    expires_at: datetime


async def get(tx: Reading, site: str, recording_id: str) -> Stored | None:
    """A recording's content; None while none was announced."""
    row = await tx.fetchrow(_GET, site, recording_id)
    if row is None:
        return None
    content = Content(row["media_type"], row["size_bytes"], row["sha256"], row["upload"])
    return Stored(content, row["key_sealed"], row["completed_at"] is not None)


async def start(tx: Transaction, site: str, recording_id: str, content: Content, key_sealed: bytes) -> None:
    """Keep what was announced."""
    about = (content.upload, content.media_type, content.size_bytes, content.sha256)
    await tx.execute(_START, site, recording_id, *about, key_sealed, tx.now)


async def parts(tx: Reading, site: str, recording_id: str, numbers: Sequence[int] | None = None) -> dict[int, bytes]:
    """Digests of the parts that have come, by number, ascending; of these numbers only where they are given."""
    return {row["number"]: row["sha256"] for row in await tx.fetch(_PARTS, site, recording_id, numbers)}


async def put_part(
    tx: Transaction, site: str, recording_id: str, content: Content, number: int, digest: bytes
) -> bytes | None:
    """Note a part; returns the digest that counts for its place, None when the upload was dropped meanwhile."""
    found: Any = await tx.fetchval(_PUT_PART, site, recording_id, number, digest, content.upload)
    return None if found is None else bytes(found)


async def complete(tx: Transaction, site: str, recording_id: str, content: Content) -> bool:
    """End an upload; False when somebody else has."""
    if not await tx.fetchval(_COMPLETE, site, recording_id, tx.now, content.upload):
        return False
    await tx.execute(_ARRIVE, site, recording_id, content.media_type, content.size_bytes, content.sha256)
    return True


async def drop(tx: Transaction, site: str, recording_id: str, content: Content) -> None:
    """Forget an upload that cannot be completed."""
    await tx.execute(_DROP, site, recording_id, content.upload)


async def play(tx: Transaction, site: str, recording_id: str, playback_id: str, playback: Playback) -> None:
    """Open a recording for a person."""
    about = (playback.person, playback.unmasked, tx.now, playback.expires_at)
    await tx.execute(_PLAY, site, playback_id, recording_id, *about)


async def playback(tx: Reading, site: str, recording_id: str, playback_id: str) -> Playback | None:
    """An open playback; None when there is none or its time is over."""
    row = await tx.fetchrow(_PLAYBACK, site, recording_id, playback_id, tx.now)
    return None if row is None else Playback(row["person"], row["unmasked"], row["expires_at"])


async def forget_playbacks(tx: Transaction) -> None:
    """Delete those whose time is over; the audit log keeps that they were."""
    await tx.execute(_FORGET_PLAYBACKS, tx.now)
