"""SQL of rubrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.rubric import Criterion
from services.qa.errors import not_found

_COLUMNS: Final = "site, rubric_id, series, version, state, criteria, author, approver, created_at, published_at"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_INSERT: Final = f"""
INSERT INTO rubrics ({_COLUMNS})
SELECT $1, $2, $3, coalesce(max(version), 0) + 1, 'DRAFT', $4, $5, '', $6, NULL
FROM rubrics WHERE site = $1 AND series = $3
RETURNING {_COLUMNS}
"""
_GET: Final = f"SELECT {_COLUMNS} FROM rubrics WHERE site = $1 AND rubric_id = $2"
_SUPERSEDE: Final = """
UPDATE rubrics SET state = 'SUPERSEDED' WHERE site = $1 AND series = $2 AND state = 'PUBLISHED'
"""
_PUBLISH: Final = f"""
UPDATE rubrics SET state = 'PUBLISHED', approver = $3, published_at = $4 WHERE site = $1 AND rubric_id = $2
RETURNING {_COLUMNS}
"""
_PUBLISHED: Final = f"SELECT {_COLUMNS} FROM rubrics WHERE site = $1 AND series = $2 AND state = 'PUBLISHED'"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM rubrics WHERE site = $1 AND (created_at, rubric_id) < ($2, $3::uuid)
ORDER BY created_at DESC, rubric_id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Titled:
    """A criterion with the words that reviewers read and the clauses that it marks."""

    rule: Criterion
    title_zh: str
    title_en: str
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rubric:
    """One version of a document."""

    site: str
    id: str
    series: str
    version: int
    state: str
    criteria: tuple[Titled, ...]
    author: str
    approver: str
    created_at: datetime
    published_at: datetime | None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/rubrics/{self.id}"

    @property
    def rules(self) -> list[Criterion]:
        """What is marked, without words."""
        return [one.rule for one in self.criteria]


async def insert(
    tx: Transaction, site: str, rubric_id: str, *, series: str, criteria: Sequence[Titled], author: str
) -> Rubric:
    """Add the next version of a series, as a draft."""
    await tx.fetchval(_LOCK, f"rubrics/{site}/{series}")
    document = json.dumps([asdict(one) for one in criteria], ensure_ascii=False)
    return _rubric(await tx.fetchrow(_INSERT, site, rubric_id, series, document, author, tx.now))


async def get(tx: Reading, site: str, rubric_id: str, *, lock: bool = False) -> Rubric:
    """One version. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, rubric_id)
    if row is None:
        raise not_found(f"sites/{site}/rubrics/{rubric_id}")
    return _rubric(row)


async def publish(tx: Transaction, rubric: Rubric, *, approver: str) -> Rubric:
    """Publish a draft in the place of the version before."""
    await tx.fetchval(_LOCK, f"rubrics/{rubric.site}/{rubric.series}")
    await tx.execute(_SUPERSEDE, rubric.site, rubric.series)
    return _rubric(await tx.fetchrow(_PUBLISH, rubric.site, rubric.id, approver, tx.now))


async def published(tx: Reading, site: str, series: str) -> Rubric | None:
    """The version that reviews use now."""
    row = await tx.fetchrow(_PUBLISHED, site, series)
    return None if row is None else _rubric(row)


async def page(tx: Reading, site: str, *, before: tuple[datetime, str], limit: int) -> list[Rubric]:
    """Versions before a position, latest first."""
    return [_rubric(row) for row in await tx.fetch(_PAGE, site, *before, limit)]


def _rubric(row: Any) -> Rubric:
    criteria = tuple(
        Titled(Criterion(**one["rule"]), one["title_zh"], one["title_en"], tuple(one["clauses"]))
        for one in json.loads(row["criteria"])
    )
    fields = {name: row[name] for name in Rubric.__slots__ if name not in ("id", "criteria")}
    return Rubric(id=str(row["rubric_id"]), criteria=criteria, **fields)
