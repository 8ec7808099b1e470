"""SQL of imports: how far each got, and which rows were refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.kit.db import Transaction

_BEGIN: Final = """
INSERT INTO imports (site, import_id, file, rows_done, stored, repeated, refused, started_at)
VALUES ($1, $2, $3, 0, 0, 0, 0, $4) ON CONFLICT DO NOTHING
"""
_GET: Final = """
SELECT rows_done, stored, repeated, refused, ended_at FROM imports WHERE site = $1 AND import_id = $2 FOR UPDATE
"""
_PUT: Final = """
UPDATE imports SET rows_done = $3, stored = $4, repeated = $5, refused = $6, ended_at = $7
WHERE site = $1 AND import_id = $2
"""
_REFUSE: Final = """
INSERT INTO import_refusals (site, import_id, line, rule)
SELECT $1, $2, l, r FROM unnest($3::bigint[], $4::text[]) AS n (l, r) ON CONFLICT DO NOTHING
"""
_REFUSALS: Final = "SELECT line, rule FROM import_refusals WHERE site = $1 AND import_id = $2 ORDER BY line"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import got, in rows."""

    rows_done: int
    stored: int
    repeated: int
    refused: int
    ended_at: datetime | None = None


async def lock(tx: Transaction, site: str, import_id: str, file: str) -> Progress:
    """How far the import got; nobody else takes it further meanwhile. One that is new begins."""
    await tx.execute(_BEGIN, site, import_id, file, tx.now)
    row = await tx.fetchrow(_GET, site, import_id)
    assert row is not None  # begun above
    return Progress(*row)


async def put(tx: Transaction, site: str, import_id: str, progress: Progress) -> None:
    """Write how far a locked import is."""
    counts = (progress.rows_done, progress.stored, progress.repeated, progress.refused)
    await tx.execute(_PUT, site, import_id, *counts, progress.ended_at)


async def refuse(tx: Transaction, site: str, import_id: str, rows: Iterable[tuple[int, str]]) -> None:
    """Keep which rows broke which rule."""
    found = list(rows)
    if found:
        await tx.execute(_REFUSE, site, import_id, [line for line, _ in found], [rule for _, rule in found])


async def refusals(tx: Transaction, site: str, import_id: str) -> list[tuple[int, str]]:
    """Rows that were refused, with the rule that each broke."""
    return [(row["line"], row["rule"]) for row in await tx.fetch(_REFUSALS, site, import_id)]
