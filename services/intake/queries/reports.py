"""The service-level report of a period: what was offered, what became of it, which promises were kept.

Conversations count in the period in which they were opened; promises in the one in which they were settled: met, gone
away, or broken, at the deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from services.intake.queries.wallboard import Level
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument

LONGEST: Final = timedelta(days=92)

# The promise that the first response settled says since when and in which queue it was waited for, and who answered.
_OFFERED: Final = """
WITH offered AS (
    SELECT coalesce(f.queue, c.queue) AS queue,
           CASE WHEN c.first_response_at IS NOT NULL
                THEN coalesce(nullif(f.person, ''), c.accountable_owner) ELSE '' END AS person,
           c.first_response_at IS NOT NULL AS answered,
           c.first_response_at IS NULL AND c.state = 'ABANDONED' AS abandoned,
           extract(epoch FROM c.first_response_at - coalesce(f.started_at, c.created_at))::double precision AS seconds,
           c.transfers, nullif(c.rating, 0) AS rating
    FROM conversations c LEFT JOIN clock_outcomes f
        ON f.site = c.site AND f.conversation = c.id AND f.kind = 'FIRST_RESPONSE'
        AND f.stopped_at = c.first_response_at
    WHERE c.site = $1 AND c.created_at >= $2 AND c.created_at < $3)
SELECT grouping(queue) = 0 AS of_queue, grouping(person) = 0 AS of_person, queue, person,
       count(*) AS offered,
       count(*) FILTER (WHERE answered) AS answered, count(*) FILTER (WHERE abandoned) AS abandoned,
       avg(seconds) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) AS p90,
       coalesce(sum(transfers), 0) AS transfers, avg(rating)::double precision AS rating, count(rating) AS ratings
FROM offered GROUP BY GROUPING SETS ((), (queue), (person))
"""
_PROMISES: Final = """
SELECT grouping(queue) = 0 AS of_queue, grouping(person) = 0 AS of_person, queue, person,
       count(*) FILTER (WHERE kind = 'FIRST_RESPONSE' AND outcome = 'MET') AS met,
       count(*) FILTER (WHERE kind = 'FIRST_RESPONSE' AND outcome = 'BREACHED') AS breached,
       count(*) FILTER (WHERE kind = 'FIRST_RESPONSE' AND outcome = 'CANCELLED') AS cancelled,
       count(*) FILTER (WHERE outcome = 'BREACHED') AS breaches
FROM clock_outcomes WHERE site = $1 AND settled_at >= $2 AND settled_at < $3
GROUP BY GROUPING SETS ((), (queue), (person))
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Seconds of first response are over those answered; means are 0 where there is nothing to average."""

    key: str
    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    mean_s: float = 0.0
    median_s: float = 0.0
    p90_s: float = 0.0
    level: Level = field(default_factory=Level)
    breaches: int = 0
    transfers: int = 0
    rating_mean: float = 0.0
    ratings: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A period: the whole site, by queue, by person who answered."""

    begin: datetime
    end: datetime
    total: Line
    by_queue: list[Line]
    by_person: list[Line]


async def service_level(tx: Transaction, site: str, begin: datetime, end: datetime) -> Report:
    """Compute the report of [begin, end). Raises InvalidArgument for an empty period or one of more than 92 days."""
    if end <= begin:
        raise InvalidArgument.field("to", "must come after from")
    if end - begin > LONGEST:
        raise InvalidArgument.field("to", f"must come within {LONGEST.days} days of from")
    lines: dict[tuple[str, str], Line] = {}
    for row in await tx.fetch(_OFFERED, site, begin, end):
        key = _key(row)
        lines[key] = Line(
            key[1],
            offered=row["offered"],
            answered=row["answered"],
            abandoned=row["abandoned"],
            mean_s=row["mean"] or 0.0,
            median_s=row["median"] or 0.0,
            p90_s=row["p90"] or 0.0,
            transfers=row["transfers"],
            rating_mean=row["rating"] or 0.0,
            ratings=row["ratings"],
        )
    for row in await tx.fetch(_PROMISES, site, begin, end):
        key = _key(row)
        level = Level(row["met"], row["breached"], row["cancelled"])
        lines[key] = replace(lines.get(key, Line(key[1])), level=level, breaches=row["breaches"])
    return Report(
        begin,
        end,
        lines.get(("total", ""), Line("")),
        _of(lines.items(), "queue"),
        _of(lines.items(), "person"),
    )


def _key(row: asyncpg.Record) -> tuple[str, str]:
    if row["of_queue"]:
        return "queue", row["queue"]
    return ("person", row["person"]) if row["of_person"] else ("total", "")


def _of(lines: Iterable[tuple[tuple[str, str], Line]], kind: str) -> list[Line]:
    """Return the lines of a kind by key; what nobody answered belongs to no person."""
    found: list[Any] = [(key, line) for (of, key), line in lines if of == kind and key]
    return [line for _, line in sorted(found)]
