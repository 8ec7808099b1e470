"""SQL of contracts, roster runs and published rosters. Every statement but a worker's claim names the site."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import asyncpg

from services.kit.db import Reading, Transaction
from services.staffing.domain.contract import Contract, Mark, MarkKind, Shift

LEASE_SECONDS: Final = 30
MOST_ATTEMPTS: Final = 5
_CONTRACTS = """
SELECT person_id, week_minutes_least, week_minutes_most, mentor FROM contracts
WHERE site = $1 AND (person_id = ANY ($2) OR cardinality($2::text[]) = 0)
"""
_MARKS = """
SELECT person_id, day, kind, shift, weight FROM day_marks
WHERE site = $1 AND (person_id = ANY ($2) OR cardinality($2::text[]) = 0) ORDER BY person_id, day, kind
"""
_SET = """
INSERT INTO contracts (site, person_id, week_minutes_least, week_minutes_most, mentor) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (site, person_id) DO UPDATE SET week_minutes_least = $3, week_minutes_most = $4, mentor = $5
"""
_FORGET = "DELETE FROM day_marks WHERE site = $1 AND person_id = $2"
_MARK = "INSERT INTO day_marks (site, person_id, day, kind, shift, weight) VALUES ($1, $2, $3, $4, $5, $6)"
_LIST_COLUMNS = (
    "site, run_id, state, first_day, days, seconds, seed, objective, bound, elapsed, verdict, fault, created_at,"
    " created_by, version"
)
_RUN = f"SELECT {_LIST_COLUMNS}, problem, best FROM roster_runs WHERE site = $1 AND run_id = $2"
_RUNS = f"""
SELECT {_LIST_COLUMNS} FROM roster_runs WHERE site = $1 AND (created_at, run_id) < ($2, $3)
ORDER BY created_at DESC, run_id DESC LIMIT $4
"""
_ADD = """
INSERT INTO roster_runs (site, run_id, state, first_day, days, seconds, seed, problem, best, created_at, created_by)
VALUES ($1, $2, 'QUEUED', $3, $4, $5, $6, $7, $8, $9, $10)
"""
_CANCEL = """
UPDATE roster_runs SET cancel_asked = true, version = version + 1,
    state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END
WHERE site = $1 AND run_id = $2
"""
# one statement claims: two workers never hold the same run, and a worker that is gone loses its own
_CLAIM = f"""
UPDATE roster_runs SET state = 'RUNNING', lease_token = $1, lease_until = kefu_now() + make_interval(secs => $2),
    attempts = attempts + 1, version = version + 1
WHERE (site, run_id) = (
    SELECT site, run_id FROM roster_runs
    WHERE state = 'QUEUED' OR (state = 'RUNNING' AND lease_until < kefu_now())
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING {_LIST_COLUMNS}, problem, best
"""
# whoever takes it dies of it
_GIVE_UP = """
UPDATE roster_runs SET state = 'FAILED', fault = $2, lease_token = NULL, lease_until = NULL, version = version + 1
WHERE state = 'RUNNING' AND lease_until < kefu_now() AND attempts >= $1
"""
_PROGRESS = """
UPDATE roster_runs SET objective = $4, bound = $5, elapsed = $6, best = coalesce($7, best), version = version + 1,
    lease_until = kefu_now() + make_interval(secs => $8)
WHERE site = $1 AND run_id = $2 AND lease_token = $3 AND state = 'RUNNING' RETURNING cancel_asked
"""
_PROBLEM = "UPDATE roster_runs SET problem = $4 WHERE site = $1 AND run_id = $2 AND lease_token = $3"
_END = """
UPDATE roster_runs SET state = $4, verdict = $5, fault = $6, lease_token = NULL, lease_until = NULL,
    version = version + 1
WHERE site = $1 AND run_id = $2 AND lease_token = $3 AND state = 'RUNNING'
"""
_RELEASE = """
UPDATE roster_runs SET lease_until = kefu_now(), attempts = attempts - 1
WHERE site = $1 AND run_id = $2 AND lease_token = $3
"""
_SHIFT_COLUMNS = "person_id, day, starts_at, ends_at, break_at, break_minutes, activity"
_STANDING = f"""
SELECT {_SHIFT_COLUMNS} FROM roster_shifts
WHERE site = $1 AND day >= $2 AND day < $3 AND replaced_by IS NULL AND ($4 = '' OR person_id = $4)
ORDER BY person_id, day
"""
_OF_ROSTER = f"""
SELECT {_SHIFT_COLUMNS} FROM roster_shifts WHERE site = $1 AND number = $2 AND replaced_by IS NULL
ORDER BY person_id, day
"""
_COVERED = "SELECT first_day, days FROM rosters WHERE site = $1 AND first_day < $3 AND first_day + days > $2"
_ROSTER_COLUMNS = "number, first_day, days, run_id, changed, published_at, published_by"
_ROSTER = f"SELECT {_ROSTER_COLUMNS} FROM rosters WHERE site = $1 AND number = $2"
_ROSTERS = f"SELECT {_ROSTER_COLUMNS} FROM rosters WHERE site = $1 AND number < $2 ORDER BY number DESC LIMIT $3"
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM rosters WHERE site = $1"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rosters/' || $1, 0))"
_PUBLISH = """
INSERT INTO rosters (site, number, first_day, days, run_id, changed, published_at, published_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_REPLACE = """
UPDATE roster_shifts SET replaced_by = $2 WHERE site = $1 AND day >= $3 AND day < $4 AND replaced_by IS NULL
"""
_ADD_SHIFT = """
INSERT INTO roster_shifts (site, number, person_id, day, starts_at, ends_at, break_at, break_minutes, activity)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def contracts(tx: Reading, site: str, people: Sequence[str] = ()) -> dict[str, Contract]:
    """Contracts by person id; of everybody unless people are named."""
    marks: defaultdict[str, list[Mark]] = defaultdict(list)
    for row in await tx.fetch(_MARKS, site, list(people)):
        marks[row["person_id"]].append(Mark(row["day"], MarkKind(row["kind"]), row["shift"], row["weight"]))
    return {
        row["person_id"]: Contract(
            row["week_minutes_least"], row["week_minutes_most"], row["mentor"], tuple(marks[row["person_id"]])
        )
        for row in await tx.fetch(_CONTRACTS, site, list(people))
    }


async def set_contract(tx: Transaction, site: str, person: str, contract: Contract) -> None:
    """Write a contract as a whole."""
    await tx.execute(_SET, site, person, contract.least, contract.most, contract.mentor)
    await tx.execute(_FORGET, site, person)
    await tx.executemany(
        _MARK, [(site, person, one.day, one.kind.value, one.shift, one.weight) for one in contract.marks]
    )


async def add_run(tx: Transaction, site: str, run_id: str, *values: object) -> None:
    """Add a queued run: first day, days, seconds, seed, problem, warm start, instant, creator."""
    await tx.execute(_ADD, site, run_id, *values)


async def run(tx: Reading, site: str, run_id: str, *, lock: bool = False) -> asyncpg.Record | None:
    """One run with its problem and best roster."""
    return await tx.fetchrow(_RUN + (" FOR UPDATE" if lock else ""), site, run_id)


async def runs(tx: Reading, site: str, *, before: tuple[datetime, str], limit: int) -> list[asyncpg.Record]:
    """Runs, latest first."""
    return await tx.fetch(_RUNS, site, *before, limit)


async def cancel(tx: Transaction, site: str, run_id: str) -> None:
    """Ask a run to end; one that nobody works on has ended."""
    await tx.execute(_CANCEL, site, run_id)


async def claim(tx: Transaction, token: str) -> asyncpg.Record | None:
    """The oldest run that nobody works on, now ours for LEASE_SECONDS; what MOST_ATTEMPTS workers lost fails."""
    await tx.execute(_GIVE_UP, MOST_ATTEMPTS, f"{MOST_ATTEMPTS} workers were gone before its end")
    return await tx.fetchrow(_CLAIM, token, LEASE_SECONDS)


async def progress(
    tx: Transaction, key: tuple[str, str, str], cost: int | None, bound: float | None, elapsed: float, best: str | None
) -> bool | None:
    """Keep what is best so far and hold the lease; whether an end was asked for, None when the lease is lost."""
    found: bool | None = await tx.fetchval(_PROGRESS, *key, cost, bound, elapsed, best, LEASE_SECONDS)
    return found


async def keep_problem(tx: Transaction, key: tuple[str, str, str], problem: str) -> None:
    """The problem after some of its rules gave way."""
    await tx.execute(_PROBLEM, *key, problem)


async def end(tx: Transaction, key: tuple[str, str, str], state: str, verdict: str | None, fault: str) -> None:
    """The run has ended; nothing happens where the lease was lost."""
    await tx.execute(_END, *key, state, verdict, fault)


async def release(tx: Transaction, key: tuple[str, str, str]) -> None:
    """Give the run back; the next worker goes on from its best roster."""
    await tx.execute(_RELEASE, *key)


async def standing(tx: Reading, site: str, first: date, end: date, person: str = "") -> list[Shift]:
    """Published shifts that stand, of days from `first` to before `end`."""
    return [_shift(row) for row in await tx.fetch(_STANDING, site, first, end, person)]


async def covered(tx: Reading, site: str, first: date, end: date) -> set[date]:
    """Days of which a published roster speaks."""
    found: set[date] = set()
    for row in await tx.fetch(_COVERED, site, first, end):
        found.update(row["first_day"] + timedelta(days=number) for number in range(row["days"]))
    return found


async def lock_site(tx: Transaction, site: str) -> None:
    """One roster of a site is published at a time."""
    await tx.execute(_LOCK, site)


async def publish(
    tx: Transaction, site: str, run: asyncpg.Record, shifts: Sequence[Shift], *, by: str, changed: int
) -> int:
    """Write a roster; its number. Shifts that stood in its days are replaced."""
    number: int = await tx.fetchval(_NEXT, site)
    first, days = run["first_day"], run["days"]
    await tx.execute(_PUBLISH, site, number, first, days, run["run_id"], changed, tx.now, by)
    await tx.execute(_REPLACE, site, number, first, first + timedelta(days=days))
    await tx.executemany(
        _ADD_SHIFT,
        [
            (site, number, one.person, one.day, one.start, one.end, one.break_start, one.break_minutes, one.activity)
            for one in shifts
        ],
    )
    return number


async def roster(tx: Reading, site: str, number: int) -> tuple[asyncpg.Record | None, list[Shift]]:
    """A published roster and the shifts of it that stand."""
    row = await tx.fetchrow(_ROSTER, site, number)
    return row, [_shift(one) for one in await tx.fetch(_OF_ROSTER, site, number)]


async def rosters(tx: Reading, site: str, *, before: int, limit: int) -> list[asyncpg.Record]:
    """Published rosters, latest first."""
    return await tx.fetch(_ROSTERS, site, before, limit)


def _shift(row: asyncpg.Record) -> Shift:
    return Shift(
        row["person_id"],
        row["day"],
        row["starts_at"],
        row["ends_at"],
        row["break_at"],
        row["break_minutes"],
        row["activity"],
    )
