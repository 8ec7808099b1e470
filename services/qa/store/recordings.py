"""SQL of recordings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.kit.db import Database, Reading, Transaction
from services.qa.domain.recording import Recording
from services.qa.errors import not_found

COLUMNS: Final = """site, recording_id, kind, state, subject, person, channel, queue, customer, started_at, ended_at,
    registered_at, expires_at, media_type, size_bytes, sha256, held, missing"""
# Whose a recording is, is known by itself, or by the conversation that it is of where it came before that was heard of.
OF_CUSTOMERS: Final = """
site = $1 AND (customer = ANY ($2::text[]) OR subject IN (
    SELECT c.subject FROM conversations c WHERE c.site = $1 AND c.customer = ANY ($2::text[])))
"""
# Whoever records may come before intake says whose conversation it was: without that it could never be forgotten.
_INSERT: Final = f"""
INSERT INTO recordings AS r ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', 0, '', false, false)
ON CONFLICT (site, subject, kind) DO UPDATE SET customer = excluded.customer, queue = excluded.queue
WHERE r.customer = '' AND excluded.customer <> '' AND r.state <> 'EXPIRED'
RETURNING recording_id = $2
"""
_OF: Final = f"SELECT {COLUMNS} FROM recordings WHERE site = $1 AND subject = $2 AND kind = $3"
_GET: Final = f"SELECT {COLUMNS} FROM recordings WHERE site = $1 AND recording_id = $2"
_PAGE: Final = f"""
SELECT {COLUMNS} FROM recordings
WHERE site = $1 AND (ended_at, recording_id) < ($2, $3::uuid)
  AND ($4 = '' OR person = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR state = $6)
ORDER BY ended_at DESC, recording_id DESC LIMIT $7
"""
_MISS: Final = f"""
UPDATE recordings SET missing = true
WHERE site = $1 AND recording_id = $2 AND state <> 'EXPIRED' AND sha256 = '' AND NOT missing
RETURNING {COLUMNS}
"""
_REVIEWED: Final = """
UPDATE recordings SET state = 'REVIEWED' WHERE site = $1 AND recording_id = $2 AND state = 'SAMPLED'
"""
_MISSING: Final = "SELECT site, kind, count(*) AS number FROM recordings WHERE missing GROUP BY site, kind"


async def insert(tx: Transaction, recording: Recording) -> Recording:
    """Add a recording; returns the one that is there for the same subject and kind, which learns its customer."""
    given = (recording.site, recording.id, recording.kind, recording.state, recording.subject, recording.person)
    about = (recording.channel, recording.queue, recording.customer)
    times = (recording.started_at, recording.ended_at, recording.registered_at, recording.expires_at)
    if await tx.fetchval(_INSERT, *given, *about, *times):
        return recording
    return recording_of(await tx.fetchrow(_OF, recording.site, recording.subject, recording.kind))


async def get(tx: Reading, site: str, recording_id: str, *, lock: bool = False) -> Recording:
    """One recording, locked if asked to. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, recording_id)
    if row is None:
        raise not_found(f"sites/{site}/recordings/{recording_id}")
    return recording_of(row)


async def page(
    tx: Reading, site: str, *, before: tuple[datetime, str], person: str, kind: str, state: str, limit: int
) -> list[Recording]:
    """Recordings before a position (end, id), latest first."""
    return [recording_of(row) for row in await tx.fetch(_PAGE, site, *before, person, kind, state, limit)]


async def miss(tx: Transaction, site: str, recording_id: str) -> Recording | None:
    """Mark one whose content has not come; None where it has, or was marked before."""
    row = await tx.fetchrow(_MISS, site, recording_id)
    return None if row is None else recording_of(row)


async def reviewed(tx: Transaction, site: str, recording_id: str) -> None:
    """A review of a drawn recording is there."""
    await tx.execute(_REVIEWED, site, recording_id)


async def missing(database: Database) -> dict[tuple[str, str], int]:
    """How many are missing, by site and kind."""
    return {(row["site"], row["kind"]): row["number"] for row in await database.fetch(_MISSING)}


def recording_of(row: Any) -> Recording:
    """A row as a recording."""
    fields = {name: row[name] for name in Recording.__slots__ if name != "id"}
    return Recording(id=str(row["recording_id"]), **fields)
