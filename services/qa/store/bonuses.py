"""SQL of bonus pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.errors import not_found

_POOL: Final = "site, period, state, base_fen, attainment, pool_fen, retained_fen, author, approver, computed_at"
_LINE: Final = "person, appraisal_id, share, amount_fen, cut_fen, base_fen, performance_fen"
_PUT: Final = f"""
INSERT INTO bonus_pools ({_POOL}) VALUES ($1, $2, 'COMPUTED', $3, $4, $5, $6, $7, '', $8)
ON CONFLICT (site, period) DO NOTHING RETURNING true
"""
_PUT_LINE: Final = f"""
INSERT INTO bonus_lines (site, period, {_LINE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_GET: Final = f"SELECT {_POOL} FROM bonus_pools WHERE site = $1 AND period = $2"
_LINES: Final = f"SELECT {_LINE} FROM bonus_lines WHERE site = $1 AND period = $2 ORDER BY person"
_MOVE: Final = "UPDATE bonus_pools SET state = $3, approver = $4 WHERE site = $1 AND period = $2"
# The last appraisal of each person that was published.
_APPRAISED: Final = """
SELECT DISTINCT ON (person) person, appraisal_id, score, grade FROM appraisals
WHERE site = $1 AND published_at IS NOT NULL AND state IN ('PUBLISHED', 'ACKNOWLEDGED', 'APPEALED', 'CLOSED')
ORDER BY person, published_at DESC
"""
_CUTS: Final = """
SELECT person, sum(amount_fen)::bigint AS fen FROM matters
WHERE site = $1 AND kind = 'PENALTY' AND code = 'BONUS_CUT' AND state = 'APPLIED' AND ended_at >= $2 AND ended_at < $3
GROUP BY person
"""
_YEAR: Final = """
SELECT coalesce(avg(amount_fen), 0)::bigint FROM bonus_lines JOIN bonus_pools USING (site, period)
WHERE site = $1 AND person = $2 AND state <> 'COMPUTED' AND period LIKE $3 || '-%'
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody gets of a pool, and their pay where it was given."""

    person: str
    appraisal: str
    share: float
    amount_fen: int
    cut_fen: int = 0
    base_fen: int = 0
    performance_fen: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """A month's pool: the lines and what was retained by cuts make it up to the last fen."""

    site: str
    period: str
    state: str
    base_fen: int
    attainment: float
    pool_fen: int
    retained_fen: int
    author: str
    approver: str
    computed_at: datetime
    lines: tuple[Line, ...] = ()

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/bonusPools/{self.period}"


async def insert(tx: Transaction, pool: Pool) -> bool:
    """Add a pool with its lines; False where the month has one."""
    given = (pool.base_fen, pool.attainment, pool.pool_fen, pool.retained_fen, pool.author, pool.computed_at)
    if not await tx.fetchval(_PUT, pool.site, pool.period, *given):
        return False
    rows = [
        (pool.site, pool.period, one.person, one.appraisal, one.share, one.amount_fen, one.cut_fen, one.base_fen,
         one.performance_fen)
        for one in pool.lines
    ]  # fmt: skip
    await tx.executemany(_PUT_LINE, rows)
    return True


async def get(tx: Reading, site: str, period: str, *, lock: bool = False) -> Pool:
    """A month's pool. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, period)
    if row is None:
        raise not_found(f"sites/{site}/bonusPools/{period}")
    lines = [_line(one) for one in await tx.fetch(_LINES, site, period)]
    return Pool(**dict(row), lines=tuple(lines))


async def move(tx: Transaction, pool: Pool, state: str, approver: str) -> None:
    """The pool's next state."""
    await tx.execute(_MOVE, pool.site, pool.period, state, approver)


async def appraised(tx: Reading, site: str) -> Sequence[Any]:
    """(person, appraisal_id, score, grade) of everybody's last published appraisal."""
    return await tx.fetch(_APPRAISED, site)


async def cuts(tx: Reading, site: str, begin: datetime, end: datetime) -> dict[str, int]:
    """Person → fen that penalties cut from the bonus in a time."""
    return {row["person"]: row["fen"] for row in await tx.fetch(_CUTS, site, begin, end)}


async def monthly_mean(tx: Reading, site: str, person: str, year: str) -> int:
    """Somebody's mean monthly bonus in a year, fen, of pools that were approved."""
    return int(await tx.fetchval(_YEAR, site, person, year))


def _line(row: Any) -> Line:
    fields = {name: row[name] for name in Line.__slots__ if name != "appraisal"}
    return Line(appraisal=str(row["appraisal_id"]), **fields)
