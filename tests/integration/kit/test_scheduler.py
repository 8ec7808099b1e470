"""Recurring jobs through the dispatcher, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from services.kit.db import Database, Transaction
from services.kit.schedules import OWNER_KIND, Misfire, Schedule, Scheduler, housekeeping
from services.kit.testing.postgres import Databases
from services.kit.timers import Dispatcher, VirtualTime

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAILY = "FREQ=DAILY;BYHOUR=8;BYMINUTE=30;BYSECOND=0"


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(databases: Databases) -> AsyncIterator[Database]:
    database = Database((await databases.clone("kit", virtual=MONDAY))["kit"], "kit")
    await database.open(hints=False)
    await database.execute("CREATE TABLE done (nth bigint GENERATED ALWAYS AS IDENTITY, job text, period timestamptz)")
    yield database
    await database.close()


def schedule(job: str = "meeting", rule: str = DAILY, misfire: Misfire = Misfire.RUN_LATEST) -> Schedule:
    async def run(period: datetime, tx: Transaction) -> None:
        await tx.execute("INSERT INTO done (job, period) VALUES ($1, $2)", job, period)

    return Schedule(job, rule, run, misfire=misfire)


async def settled() -> None:
    """There is no bus in these tests."""


def clock(database: Database, scheduler: Scheduler) -> VirtualTime:
    return VirtualTime(database, Dispatcher(database, {OWNER_KIND: scheduler.fire}), settle=settled)


async def periods(database: Database) -> list[datetime]:
    return [row["period"] for row in await database.fetch("SELECT period FROM done ORDER BY nth")]


def morning(day: int) -> datetime:
    return MONDAY + timedelta(days=day, hours=8, minutes=30)


async def test_each_period_runs_once_at_its_time(fresh: Database) -> None:
    scheduler = Scheduler([schedule()])
    await scheduler.start(fresh)
    await scheduler.start(fresh)
    await clock(fresh, scheduler).advance(MONDAY + timedelta(days=3))
    assert await periods(fresh) == [morning(0), morning(1), morning(2)]


async def test_two_workers_run_a_period_once(fresh: Database) -> None:
    scheduler = Scheduler([schedule()])
    await scheduler.start(fresh)
    await fresh.execute("UPDATE kefu_virtual_clock SET at = $1", morning(0))
    dispatchers = [Dispatcher(fresh, {OWNER_KIND: scheduler.fire}) for _ in range(4)]
    await asyncio.gather(*(dispatcher.fire_due() for dispatcher in dispatchers))
    assert await periods(fresh) == [morning(0)]


async def test_after_an_outage_the_policy_decides(fresh: Database) -> None:
    scheduler = Scheduler([schedule(policy.name, misfire=policy) for policy in Misfire])
    await scheduler.start(fresh)
    await fresh.execute("UPDATE kefu_virtual_clock SET at = $1", MONDAY + timedelta(days=3))
    await scheduler.start(fresh)  # what came due meanwhile stays due
    await Dispatcher(fresh, {OWNER_KIND: scheduler.fire}).fire_due()
    rows = await fresh.fetch("SELECT job, array_agg(period ORDER BY nth) AS periods FROM done GROUP BY job")
    assert {row["job"]: list(row["periods"]) for row in rows} == {
        "RUN_ALL": [morning(0), morning(1), morning(2)],
        "RUN_LATEST": [morning(2)],
    }
    outcomes = await fresh.fetch("SELECT job, outcome, count(*) FROM kefu_job_runs GROUP BY 1, 2 ORDER BY 1, 2")
    assert [tuple(row.values()) for row in outcomes] == [
        ("RUN_ALL", "DONE", 3),
        ("RUN_LATEST", "DONE", 1),
        ("RUN_LATEST", "SKIPPED", 2),
        ("SKIP", "SKIPPED", 3),
    ]


async def test_a_changed_rule_counts_from_the_next_start_on(fresh: Database) -> None:
    await Scheduler([schedule(rule="FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1;BYHOUR=0")]).start(fresh)
    scheduler = Scheduler([schedule()])
    await scheduler.start(fresh)
    await clock(fresh, scheduler).advance(MONDAY + timedelta(days=1))
    assert await periods(fresh) == [morning(0)]


async def test_a_job_that_no_longer_exists_ends(fresh: Database) -> None:
    await Scheduler([schedule()]).start(fresh)
    await clock(fresh, Scheduler([])).advance(MONDAY + timedelta(days=2))
    assert await periods(fresh) == []
    assert await fresh.fetchval("SELECT count(*) FROM kefu_timers") == 0


async def test_housekeeping_expires_old_replies(fresh: Database) -> None:
    await fresh.execute(
        "INSERT INTO kefu_requests VALUES ('s', 'r', 'm', '', '', now() - interval '4 days');"
        "INSERT INTO kefu_inbox VALUES ('c', 'e', now() - interval '15 days')"
    )
    scheduler = Scheduler(housekeeping())
    await scheduler.start(fresh)
    await clock(fresh, scheduler).advance(MONDAY + timedelta(hours=1))
    left = "SELECT (SELECT count(*) FROM kefu_requests) + (SELECT count(*) FROM kefu_inbox)"
    assert await fresh.fetchval(left) == 0
