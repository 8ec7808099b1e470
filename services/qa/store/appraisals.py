"""SQL of appraisals and colleagues' ratings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.appraisal import PUBLIC, Appraisal
from services.qa.errors import not_found

_COLUMNS: Final = """site, appraisal_id, period, person, state, revision, supervisor, marks, comment, parts, score,
    grade, misses, appeal, decision, decider, minutes, opened_at, published_at, closed_at"""
_OPEN: Final = f"""
INSERT INTO appraisals (site, appraisal_id, period, person, state, revision, opened_at)
SELECT $1, id, $2, person, 'OPEN', 1, $5 FROM unnest($3::uuid[], $4::text[]) AS v (id, person)
ON CONFLICT (site, period, person) DO NOTHING RETURNING {_COLUMNS}
"""
_GET: Final = f"SELECT {_COLUMNS} FROM appraisals WHERE site = $1 AND appraisal_id = $2"
_PUT: Final = """
UPDATE appraisals SET state = $3, revision = $4, supervisor = $5, marks = $6, comment = $7, parts = $8, score = $9,
    grade = $10, misses = $11, appeal = $12, decision = $13, decider = $14, minutes = $15, published_at = $16,
    closed_at = $17
WHERE site = $1 AND appraisal_id = $2
"""
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM appraisals
WHERE site = $1 AND (opened_at, appraisal_id) < ($2, $3::uuid) AND ($4 = '' OR period = $4) AND ($5 = '' OR state = $5)
  AND ($6 = '' OR (person = $6 AND state IN ('PUBLISHED', 'ACKNOWLEDGED', 'APPEALED', 'CLOSED')))
ORDER BY opened_at DESC, appraisal_id DESC LIMIT $7
"""
_OF_PERIOD: Final = f"SELECT {_COLUMNS} FROM appraisals WHERE site = $1 AND period = $2 AND state = ANY ($3::text[])"
_RATE: Final = """
INSERT INTO peer_ratings (site, appraisal_id, rater_index, mark) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, appraisal_id, rater_index) DO UPDATE SET mark = excluded.mark
"""
_RATINGS: Final = "SELECT mark FROM peer_ratings WHERE site = $1 AND appraisal_id = $2"


async def open_all(
    tx: Transaction, site: str, period: str, ids: Sequence[str], people: Sequence[str]
) -> list[Appraisal]:
    """Open those that are not open yet; returns them."""
    rows = await tx.fetch(_OPEN, site, period, list(ids), list(people), tx.now)
    return [_appraisal(row) for row in rows]


async def get(tx: Reading, site: str, appraisal_id: str, *, lock: bool = False) -> Appraisal:
    """One appraisal, locked if asked to. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, appraisal_id)
    if row is None:
        raise not_found(f"sites/{site}/appraisals/{appraisal_id}")
    return _appraisal(row)


async def put(tx: Transaction, one: Appraisal) -> None:
    """Write a locked appraisal back."""
    await tx.execute(
        _PUT,
        one.site,
        one.id,
        one.state,
        one.revision,
        one.supervisor,
        json.dumps(dict(one.marks)),
        one.comment,
        json.dumps(dict(one.parts)),
        one.score,
        one.grade,
        list(one.misses),
        one.appeal,
        one.decision,
        one.decider,
        one.minutes,
        one.published_at,
        one.closed_at,
    )


async def page(
    tx: Reading, site: str, *, before: tuple[datetime, str], period: str, state: str, reader: str, limit: int
) -> list[Appraisal]:
    """Appraisals before a position, latest first; `reader` limits them to that person's own, once public."""
    return [_appraisal(row) for row in await tx.fetch(_PAGE, site, *before, period, state, reader, limit)]


async def public(tx: Reading, site: str, period: str) -> list[Appraisal]:
    """What was published of a period."""
    return [_appraisal(row) for row in await tx.fetch(_OF_PERIOD, site, period, list(PUBLIC))]


async def public_grade(tx: Reading, site: str, appraisal_id: str, person: str) -> str | None:
    """The grade of a person's appraisal once it is published; None where this is none."""
    row = await tx.fetchrow(_GET, site, appraisal_id)
    known = row is not None and row["person"] == person and row["state"] in PUBLIC
    return str(row["grade"]) if row is not None and known else None


async def rate(tx: Transaction, one: Appraisal, rater_index: bytes, mark: int) -> None:
    """Keep a colleague's rating; again it takes the place of the one before."""
    await tx.execute(_RATE, one.site, one.id, rater_index, mark)


async def ratings(tx: Reading, one: Appraisal) -> list[int]:
    """Colleagues' marks, of nobody in particular."""
    return sorted(row["mark"] for row in await tx.fetch(_RATINGS, one.site, one.id))


def _appraisal(row: Any) -> Appraisal:
    apart = {"id", "marks", "parts", "misses"}
    fields = {name: row[name] for name in Appraisal.__slots__ if name not in apart}
    return Appraisal(
        id=str(row["appraisal_id"]),
        marks=json.loads(row["marks"]),
        parts=json.loads(row["parts"]),
        misses=tuple(row["misses"]),
        **fields,
    )
