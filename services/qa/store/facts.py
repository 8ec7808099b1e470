"""SQL of observations, daily facts and stated values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.metrics import Fact

_OBSERVE: Final = """
INSERT INTO observations (site, day, person, fact, value, at, object, event_id)
SELECT $1, * FROM unnest($2::date[], $3::text[], $4::text[], $5::float8[], $6::timestamptz[], $7::text[], $8::text[])
"""
_STALE: Final = "INSERT INTO stale_days (site, day) SELECT $1, unnest($2::date[])"
# Marks are taken first: whatever is committed with them is seen by the statements after.
_TAKE: Final = """
DELETE FROM stale_days WHERE (site, day, number) IN (
    SELECT site, day, number FROM stale_days WHERE site = $1 AND day >= $2 AND day < $3 FOR UPDATE SKIP LOCKED)
RETURNING day
"""
_CLEAR: Final = "DELETE FROM daily_facts WHERE site = $1 AND day = $2"
_COUNT: Final = """
INSERT INTO daily_facts (site, day, person, fact, number, total)
SELECT site, day, person, fact, count(*), sum(value) FROM observations
WHERE site = $1 AND day = $2 GROUP BY site, day, person, fact
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_FACTS: Final = """
SELECT person, fact, sum(number)::bigint AS number, sum(total) AS total, count(*) AS days FROM daily_facts
WHERE site = $1 AND day >= $2 AND day < $3 AND ($4 = '' OR person = $4) GROUP BY person, fact
"""
_EVIDENCE: Final = """
SELECT day, fact, value, at, object, event_id FROM observations
WHERE site = $1 AND person = $2 AND day >= $3 AND day < $4 AND fact = ANY ($5::text[])
  AND (at, event_id, fact) > ($6, $7, $8) ORDER BY at, event_id, fact LIMIT $9
"""
_STATE: Final = """
INSERT INTO stated_values (site, period, person, metric, source, value, origin, author, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (site, period, person, metric, source) DO UPDATE SET value = excluded.value, origin = excluded.origin,
    author = excluded.author, at = excluded.at
"""
_STATED: Final = """
SELECT person, metric, source, value FROM stated_values WHERE site = $1 AND period = $2 AND ($3 = '' OR person = $3)
ORDER BY source DESC
"""
_PRESENCE: Final = "SELECT state, since, version FROM presences WHERE site = $1 AND person = $2 FOR UPDATE"
_PUT_PRESENCE: Final = """
INSERT INTO presences AS p (site, person, state, since, version) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (site, person) DO UPDATE SET state = excluded.state, since = excluded.since, version = excluded.version
"""
_SERVED: Final = """
SELECT person, at FROM observations WHERE site = $1 AND object = $2 AND fact = 'received' ORDER BY at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Observation:
    """One fact of one person."""

    day: date
    person: str
    fact: str
    value: float
    at: datetime
    object: str
    event_id: str


async def observe(tx: Transaction, site: str, observations: Sequence[Observation]) -> None:
    """Add observations; their days are to be counted anew."""
    if not observations:
        return
    names = ("day", "person", "fact", "value", "at", "object", "event_id")
    await tx.execute(_OBSERVE, site, *([getattr(one, name) for one in observations] for name in names))
    await tx.execute(_STALE, site, sorted({one.day for one in observations}))


async def count(tx: Transaction, site: str, first: date, end: date) -> list[date]:
    """Count the stale days of a time anew; returns which they were. One at a time per site."""
    await tx.fetchval(_LOCK, f"daily_facts/{site}")
    days = sorted({row["day"] for row in await tx.fetch(_TAKE, site, first, end)})
    for day in days:  # one by one: however much is stale, no statement takes long
        await tx.execute(_CLEAR, site, day)
        await tx.execute(_COUNT, site, day)
    return days


async def facts(tx: Reading, site: str, first: date, end: date, *, person: str = "") -> dict[str, dict[str, Fact]]:
    """Person → fact → what the days from `first` to before `end` hold of it."""
    found: dict[str, dict[str, Fact]] = {}
    for row in await tx.fetch(_FACTS, site, first, end, person):
        found.setdefault(row["person"], {})[row["fact"]] = Fact(row["number"], row["total"], row["days"])
    return found


async def evidence(
    tx: Reading,
    site: str,
    person: str,
    first: date,
    end: date,
    *,
    of: Iterable[str],
    after: tuple[datetime, str, str],
    limit: int,
) -> list[Any]:
    """The observations behind a number, by time."""
    return await tx.fetch(_EVIDENCE, site, person, first, end, list(of), *after, limit)


async def state(
    tx: Transaction,
    site: str,
    period: str,
    values: Iterable[tuple[str, str, float]],
    *,
    source: str,
    origin: str,
    author: str,
) -> None:
    """Keep (person, metric, value) that no event gave; the same one again takes the place of the one before."""
    rows = [(site, period, person, metric, source, value, origin, author, tx.now) for person, metric, value in values]
    await tx.executemany(_STATE, rows)


async def stated(tx: Reading, site: str, period: str, *, person: str = "") -> dict[str, dict[str, tuple[float, str]]]:
    """Person → metric → (value, source); an imported value before one by hand."""
    found: dict[str, dict[str, tuple[float, str]]] = {}
    for row in await tx.fetch(_STATED, site, period, person):
        found.setdefault(row["person"], {})[row["metric"]] = (row["value"], row["source"])
    return found


async def presence(tx: Transaction, site: str, person: str) -> Any:
    """(state, since, version) of somebody, locked; None for who was never heard of."""
    return await tx.fetchrow(_PRESENCE, site, person)


async def put_presence(tx: Transaction, site: str, person: str, state_: str, since: datetime, version: int) -> None:
    """Where somebody is now."""
    await tx.execute(_PUT_PRESENCE, site, person, state_, since, version)


async def served(tx: Reading, site: str, conversation: str) -> tuple[str, datetime] | None:
    """Who took a conversation last, and when; None where nobody did."""
    row = await tx.fetchrow(_SERVED, site, conversation)
    return None if row is None else (row["person"], row["at"])
