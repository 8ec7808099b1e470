"""The audit log: who did what to which object, append only, hash-chained and verifiable.

Rows are written in the command's own transaction. The chain is put over them right afterwards in batches (`seal`):
chaining inside the command would make every writer of the service wait for the one before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.kit.errors import KefuError

if TYPE_CHECKING:
    import asyncpg

    from services.kit.db import Database, Transaction

BATCH = 1_000
SEAL_SECONDS = 1.0
# One sealer per schema at a time; the number only has to be ours alone.
_ADVISORY = 0x73656C

_INSERT = """
INSERT INTO kefu_audit (at, site, actor, action, object, detail)
SELECT $1, site, actor, action, object, detail
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS e (site, actor, action, object, detail)
"""
_OPEN = "SELECT * FROM kefu_audit WHERE link IS NULL ORDER BY number LIMIT $1"
_LAST = "SELECT link, hash FROM kefu_audit WHERE link IS NOT NULL ORDER BY link DESC LIMIT 1"
_SEAL = """
UPDATE kefu_audit a SET link = s.link, hash = s.hash
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS s (number, link, hash) WHERE a.number = s.number
"""
_SEALED = "SELECT * FROM kefu_audit WHERE link > $1 ORDER BY link LIMIT $2"


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `object` is a resource name; `detail` short text or JSON of ids and states, never a person's words."""

    site: str
    actor: str
    action: str
    object: str
    detail: str = ""


async def append(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Write entries in the transaction; prefer `tx.audit(...)`, which does this before the commit."""
    columns = zip(*((e.site, e.actor, e.action, e.object, e.detail) for e in entries), strict=True)
    await tx.execute(_INSERT, tx.now, *(list(column) for column in columns))


async def seal(database: Database) -> int:
    """Chain the rows that are not chained yet, at most `BATCH`; returns how many."""
    async with database.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))", _ADVISORY)
        rows = await tx.fetch(_OPEN, BATCH)
        if not rows:
            return 0
        last = await tx.fetchrow(_LAST)
        link, previous = (last["link"], last["hash"]) if last else (0, b"")
        numbers, links, hashes = [], [], []
        for row in rows:
            link, previous = link + 1, _hash(link + 1, previous, row)
            numbers.append(row["number"])
            links.append(link)
            hashes.append(previous)
        await tx.execute(_SEAL, numbers, links, hashes)
        return len(rows)


async def verify(database: Database) -> int | None:
    """Recompute the whole chain; returns the link of the first row that does not fit, None when all do."""
    link, previous = 0, b""
    while rows := await database.fetch(_SEALED, link, BATCH):
        for row in rows:
            if row["link"] != link + 1 or row["hash"] != _hash(link + 1, previous, row):
                return link + 1
            link, previous = row["link"], row["hash"]
    return None


async def keep_sealed(database: Database) -> None:
    """Seal for ever, about once a second; for workers. Ends by cancellation."""
    while True:
        with contextlib.suppress(KefuError):  # the database is away: the rows wait
            while await seal(database) == BATCH:
                pass
        await asyncio.sleep(SEAL_SECONDS)


def _hash(link: int, previous: bytes, row: asyncpg.Record) -> bytes:
    digest = hashlib.sha256(previous)
    for part in _parts(link, row):
        digest.update(len(part).to_bytes(8) + part)  # lengths, so that no two rows share a text
    return digest.digest()


def _parts(link: int, row: Any) -> Iterator[bytes]:
    yield str(link).encode()
    yield row["at"].isoformat().encode()
    for name in ("site", "actor", "action", "object", "detail"):
        yield row[name].encode()
