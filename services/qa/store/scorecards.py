"""SQL of scorecards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.scorecard import Line, Result
from services.qa.errors import not_found

_COLUMNS: Final = """site, period, person, state, score, grade, coefficient, lines, unmeasured, imported,
    profile_version, computed_at"""
_PUT: Final = """
INSERT INTO scorecards AS s (site, period, person, state, score, grade, coefficient, lines, unmeasured, imported,
    profile_version, computed_at)
SELECT $1, $2, person, 'COMPUTED', score, grade, coefficient, lines::jsonb,
    string_to_array(unmeasured, ','), string_to_array(imported, ','), $10, $11
FROM unnest($3::text[], $4::float8[], $5::text[], $6::float8[], $7::text[], $8::text[], $9::text[])
    AS v (person, score, grade, coefficient, lines, unmeasured, imported)
ON CONFLICT (site, period, person) DO UPDATE SET score = excluded.score, grade = excluded.grade,
    coefficient = excluded.coefficient, lines = excluded.lines, unmeasured = excluded.unmeasured,
    imported = excluded.imported, profile_version = excluded.profile_version, computed_at = excluded.computed_at
WHERE s.state <> 'FROZEN'
"""
_FREEZE: Final = "UPDATE scorecards SET state = 'FROZEN' WHERE site = $1 AND period = $2 AND state = 'COMPUTED'"
_GET: Final = f"SELECT {_COLUMNS} FROM scorecards WHERE site = $1 AND period = $2 AND person = $3"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM scorecards
WHERE site = $1 AND period = $2 AND person > $3 AND ($4 = '' OR person = $4) ORDER BY person LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A stored scorecard; `lines` as `line_to` writes them."""

    site: str
    period: str
    person: str
    state: str
    score: float | None
    grade: str
    coefficient: float | None
    lines: tuple[dict[str, Any], ...]
    unmeasured: tuple[str, ...]
    imported: tuple[str, ...]
    profile_version: str
    computed_at: datetime


def line_to(line: Line) -> dict[str, Any]:
    """A line as it is stored: what was measured, and what came of it."""
    figure = line.figure
    return {
        "metric": line.item.metric,
        "group": line.item.group,
        "lower": line.item.lower,
        "target": line.item.target,
        "weight": line.weight,
        "value": None if figure is None else figure.value,
        "source": "" if figure is None else figure.source,
        "count": 0 if figure is None else figure.count,
        "share": line.share,
        "points": line.points,
    }


async def put(tx: Transaction, site: str, period: str, results: Mapping[str, Result], *, profile_version: str) -> int:
    """Keep results by person, but for those that are frozen; returns how many were kept."""
    rows = list(results.items())
    columns = (
        [person for person, _ in rows],
        [one.score for _, one in rows],
        [one.grade for _, one in rows],
        [one.coefficient for _, one in rows],
        [json.dumps([line_to(line) for line in one.lines]) for _, one in rows],
        [",".join(one.unmeasured) for _, one in rows],
        [",".join(one.imported) for _, one in rows],
    )
    return int((await tx.execute(_PUT, site, period, *columns, profile_version, tx.now)).split()[-1])


async def freeze(tx: Transaction, site: str, period: str) -> int:
    """Freeze a period; returns how many were not frozen yet."""
    return int((await tx.execute(_FREEZE, site, period)).split()[-1])


async def freeze_one(tx: Transaction, site: str, period: str, person: str) -> None:
    """Freeze one person's scorecard."""
    await tx.execute(f"{_FREEZE} AND person = $3", site, period, person)


async def get(tx: Reading, site: str, period: str, person: str) -> Scorecard:
    """One scorecard. Raises NotFound."""
    row = await tx.fetchrow(_GET, site, period, person)
    if row is None:
        raise not_found(f"sites/{site}/people/{person}/scorecards/{period}")
    return _scorecard(row)


async def page(tx: Reading, site: str, period: str, *, after: str, person: str = "", limit: int) -> list[Scorecard]:
    """Scorecards of a period after a person."""
    return [_scorecard(row) for row in await tx.fetch(_PAGE, site, period, after, person, limit)]


def _scorecard(row: Any) -> Scorecard:
    fields = {name: row[name] for name in Scorecard.__slots__}
    fields |= {"lines": tuple(json.loads(row["lines"]))}
    fields |= {name: tuple(row[name]) for name in ("unmeasured", "imported")}
    return Scorecard(**fields)
