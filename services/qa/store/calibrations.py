"""SQL of calibrations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.agreement import Agreement, Severity
from services.qa.errors import not_found

_COLUMNS: Final = """site, calibration_id, series, state, recordings, reviewers, author, opened_at, closed_at, alpha,
    low, high, severities"""
_INSERT: Final = """
INSERT INTO calibrations (site, calibration_id, series, state, recordings, reviewers, author, opened_at)
VALUES ($1, $2, $3, 'OPEN', $4, $5, $6, $7)
"""
_GET: Final = f"SELECT {_COLUMNS} FROM calibrations WHERE site = $1 AND calibration_id = $2"
_CLOSE: Final = """
UPDATE calibrations SET state = 'CLOSED', closed_at = $3, alpha = $4, low = $5, high = $6, severities = $7
WHERE site = $1 AND calibration_id = $2
"""
_LATEST: Final = f"""
SELECT {_COLUMNS} FROM calibrations WHERE site = $1 AND state = 'CLOSED'
ORDER BY closed_at DESC, calibration_id DESC LIMIT 1
"""
_MARK: Final = """
INSERT INTO calibration_marks (site, calibration_id, recording_id, reviewer, mark) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (site, calibration_id, recording_id, reviewer) DO UPDATE SET mark = excluded.mark
"""
_MARKS: Final = """
SELECT recording_id, reviewer, mark FROM calibration_marks WHERE site = $1 AND calibration_id = $2
"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A session; `alpha` None while open, or where the marks tell nothing."""

    site: str
    id: str
    series: str
    state: str
    recordings: tuple[str, ...]
    reviewers: tuple[str, ...]
    author: str
    opened_at: datetime
    closed_at: datetime | None = None
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    severities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/calibrations/{self.id}"


async def insert(tx: Transaction, one: Calibration) -> None:
    """Open a session."""
    given = (one.site, one.id, one.series, list(one.recordings), list(one.reviewers), one.author, one.opened_at)
    await tx.execute(_INSERT, *given)


async def get(tx: Reading, site: str, id_: str, *, lock: bool = False) -> Calibration:
    """One session, locked if asked to. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, id_)
    if row is None:
        raise not_found(f"sites/{site}/calibrations/{id_}")
    return _calibration(row)


async def latest(tx: Reading, site: str) -> Calibration | None:
    """The session that was closed last."""
    row = await tx.fetchrow(_LATEST, site)
    return None if row is None else _calibration(row)


async def close(
    tx: Transaction, one: Calibration, found: Agreement | None, severities: Mapping[str, Severity]
) -> Calibration:
    """Close a locked session with what its marks tell."""
    told = (None, None, None) if found is None else (found.alpha, found.low, found.high)
    finite = {who: {k: v for k, v in asdict(how).items() if abs(v) != float("inf")} for who, how in severities.items()}
    await tx.execute(_CLOSE, one.site, one.id, tx.now, *told, json.dumps(finite))
    return await get(tx, one.site, one.id)


async def mark(tx: Transaction, one: Calibration, recording: str, reviewer: str, given: int) -> None:
    """Keep a mark; anew it takes the place of the one before."""
    await tx.execute(_MARK, one.site, one.id, recording, reviewer, given)


async def marks(tx: Reading, one: Calibration) -> dict[str, dict[str, int]]:
    """Recording → reviewer → mark."""
    found: dict[str, dict[str, int]] = {}
    for row in await tx.fetch(_MARKS, one.site, one.id):
        found.setdefault(str(row["recording_id"]), {})[row["reviewer"]] = row["mark"]
    return found


def missing(one: Calibration, given: Mapping[str, Mapping[str, int]]) -> Sequence[str]:
    """Reviewers who have not marked everything."""
    return [who for who in one.reviewers if any(who not in given.get(recording, {}) for recording in one.recordings)]


def _calibration(row: Any) -> Calibration:
    apart = {"id", "recordings", "severities", "reviewers"}
    fields = {name: row[name] for name in Calibration.__slots__ if name not in apart}
    return Calibration(
        id=str(row["calibration_id"]),
        recordings=tuple(map(str, row["recordings"])),
        reviewers=tuple(row["reviewers"]),
        severities=json.loads(row["severities"]),
        **fields,
    )
