"""SQL of matters and their steps."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.matter import Matter
from services.qa.errors import not_found

_COLUMNS: Final = """site, matter_id, kind, state, revision, code, severity, person, author, approvers, amount_fen,
    evidence, title, note, due_at, opened_at, ended_at"""
_INSERT: Final = f"""
INSERT INTO matters ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
_GET: Final = f"SELECT {_COLUMNS} FROM matters WHERE site = $1 AND matter_id = $2"
_PUT: Final = """
UPDATE matters SET state = $3, revision = $4, approvers = $5, note = $6, due_at = $7, ended_at = $8
WHERE site = $1 AND matter_id = $2
"""
_STEP: Final = """
INSERT INTO matter_steps (site, matter_id, step, state, actor, amount_fen, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_STEPS: Final = """
SELECT step, state, actor, amount_fen, at FROM matter_steps WHERE site = $1 AND matter_id = $2 ORDER BY number
"""
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM matters
WHERE site = $1 AND (opened_at, matter_id) < ($2, $3::uuid) AND ($4 = '' OR kind = $4) AND ($5 = '' OR state = $5)
  AND ($6 = '' OR person = $6) ORDER BY opened_at DESC, matter_id DESC LIMIT $7
"""


async def insert(tx: Transaction, matter: Matter) -> None:
    """Add a matter."""
    names = [name.strip() for name in _COLUMNS.split(",")]
    values = {name: getattr(matter, "id" if name == "matter_id" else name) for name in names}
    values |= {"approvers": list(matter.approvers), "evidence": list(matter.evidence)}
    await tx.execute(_INSERT, *values.values())
    await step(tx, matter, "open", matter.author)


async def get(tx: Reading, site: str, matter_id: str, *, lock: bool = False) -> Matter:
    """One matter, locked if asked to. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, matter_id)
    if row is None:
        raise not_found(f"sites/{site}/matters/{matter_id}")
    return _matter(row)


async def put(tx: Transaction, matter: Matter) -> None:
    """Write a locked matter back."""
    changed = (matter.state, matter.revision, list(matter.approvers), matter.note, matter.due_at, matter.ended_at)
    await tx.execute(_PUT, matter.site, matter.id, *changed)


async def step(tx: Transaction, matter: Matter, name: str, actor: str) -> None:
    """Append a step to the ledger."""
    await tx.execute(_STEP, matter.site, matter.id, name, matter.state, actor, matter.amount_fen, tx.now)


async def steps(tx: Reading, site: str, matter_id: str) -> list[Any]:
    """The steps of a matter, in order."""
    return await tx.fetch(_STEPS, site, matter_id)


async def page(
    tx: Reading, site: str, *, before: tuple[datetime, str], kind: str, state: str, person: str, limit: int
) -> list[Matter]:
    """Matters before a position, latest first."""
    return [_matter(row) for row in await tx.fetch(_PAGE, site, *before, kind, state, person, limit)]


def _matter(row: Any) -> Matter:
    fields = {name: row[name] for name in Matter.__slots__ if name not in ("id", "approvers", "evidence")}
    return Matter(
        id=str(row["matter_id"]), approvers=tuple(row["approvers"]), evidence=tuple(row["evidence"]), **fields
    )
