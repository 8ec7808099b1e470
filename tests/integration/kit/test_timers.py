"""Timers on a real PostgreSQL: each fires once, in time, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from services.kit import parked
from services.kit.db import Database, Transaction
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases
from services.kit.timers import Dispatcher, Timer, arm, cancel
from services.kit.timers.dispatcher import CLAIM, NEXT

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


def timer(number: int, due_at: datetime, *, kind: str = "first_response", generation: int = 1) -> Timer:
    return Timer("conversation", str(number), kind, "desk", generation, due_at)


class Fired:
    """Keeps what fired, in the transaction that fires it; can be told to fail."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.batches: list[list[str]] = []

    async def __call__(self, timers: list[Timer], tx: Transaction) -> None:
        self.batches.append([one.owner_id for one in timers])
        await tx.executemany("INSERT INTO fired (owner, kind) VALUES ($1, $2)", [(t.owner_id, t.kind) for t in timers])
        if any(one.owner_id in self.broken for one in timers):
            raise ValueError("broken")


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(databases: Databases) -> AsyncIterator[Database]:
    database = Database((await databases.clone("kit"))["kit"], "kit")
    await database.open()
    await database.execute("CREATE TABLE fired (nth bigint GENERATED ALWAYS AS IDENTITY, owner text, kind text)")
    yield database
    await database.close()


async def armed(database: Database, *timers: Timer) -> int:
    async with database.transaction() as tx:
        return await arm(tx, timers)


async def owners(database: Database) -> list[str]:
    return [row["owner"] for row in await database.fetch("SELECT owner FROM fired ORDER BY nth")]


@contextlib.asynccontextmanager
async def running(database: Database, fired: Fired, *, dispatchers: int = 1) -> AsyncIterator[None]:
    works = [asyncio.create_task(Dispatcher(database, {"conversation": fired}).run()) for _ in range(dispatchers)]
    try:
        yield
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


async def test_due_timers_fire_in_order_and_later_ones_wait(fresh: Database) -> None:
    now = fresh.clock.now()
    await armed(fresh, timer(2, now - timedelta(seconds=1)), timer(1, now - timedelta(seconds=2)))
    await armed(fresh, timer(3, now + timedelta(hours=1)))
    dispatcher = Dispatcher(fresh, {"conversation": Fired()})
    assert await dispatcher.fire_due() == 2
    assert await owners(fresh) == ["1", "2"]
    assert await dispatcher.next_due() == now + timedelta(hours=1)


async def test_arming_again_replaces_and_a_stale_generation_changes_nothing(fresh: Database) -> None:
    assert await armed(fresh, timer(1, NOON, generation=5)) == 1
    assert await armed(fresh, timer(1, NOON + timedelta(hours=1), generation=4)) == 0
    assert await armed(fresh, timer(1, NOON + timedelta(hours=2), generation=6)) == 1
    rows = await fresh.fetch("SELECT generation, due_at FROM kefu_timers")
    assert [tuple(row.values()) for row in rows] == [(6, NOON + timedelta(hours=2))]


async def test_the_last_of_several_for_one_key_counts(fresh: Database) -> None:
    assert await armed(fresh, timer(1, NOON), timer(1, NOON + timedelta(hours=1))) == 1
    assert await fresh.fetchval("SELECT due_at FROM kefu_timers") == NOON + timedelta(hours=1)


async def test_cancelled_timers_do_not_fire(fresh: Database) -> None:
    past = fresh.clock.now() - timedelta(seconds=1)
    await armed(fresh, timer(1, past), timer(2, past), timer(1, past, kind="close"))
    async with fresh.transaction() as tx:
        assert await cancel(tx, [timer(1, past).key, ("conversation", "9", "close")]) == 1
        assert await cancel(tx, []) == 0
    await Dispatcher(fresh, {"conversation": Fired()}).fire_due()
    assert sorted(await owners(fresh)) == ["1", "2"]
    assert await fresh.fetchval("SELECT kind FROM fired WHERE owner = '1'") == "close"


async def test_two_connections_never_fire_one_timer_twice(fresh: Database) -> None:
    past = fresh.clock.now() - timedelta(seconds=5)
    await armed(fresh, *(timer(number, past) for number in range(2_000)))
    dispatchers = [Dispatcher(fresh, {"conversation": Fired()}, batch=50) for _ in range(4)]
    counts = await asyncio.gather(*(dispatcher.fire_due() for dispatcher in dispatchers))
    while await dispatchers[0].fire_due():
        pass
    assert sum(counts) <= 2_000
    assert Counter(await owners(fresh)) == Counter(str(number) for number in range(2_000))


async def test_a_cancel_that_races_the_firing_wins_or_loses_but_not_both(fresh: Database) -> None:
    past = fresh.clock.now() - timedelta(seconds=1)
    cancelled = 0
    for number in range(30):
        await armed(fresh, timer(number, past))

        async def revoke(number: int = number) -> int:
            async with fresh.transaction() as tx:
                return await cancel(tx, [timer(number, past).key])

        removed, _ = await asyncio.gather(revoke(), Dispatcher(fresh, {"conversation": Fired()}).fire_due())
        cancelled += removed
    assert cancelled + len(await owners(fresh)) == 30


async def test_they_fire_within_a_quarter_second_of_their_deadline(fresh: Database) -> None:
    fired = Fired()
    async with running(fresh, fired, dispatchers=2):
        due = fresh.clock.now() + timedelta(milliseconds=300)
        await armed(fresh, timer(1, due), timer(2, due + timedelta(milliseconds=100)))
        await eventually(lambda: len(fired.batches) >= 2)
        late = fresh.clock.now() - due
        assert timedelta(milliseconds=100) <= late < timedelta(milliseconds=600)
        assert await owners(fresh) == ["1", "2"]


async def test_a_timer_armed_in_the_past_is_swept_up(fresh: Database) -> None:
    fired = Fired()
    async with running(fresh, fired):
        await armed(fresh, timer(1, fresh.clock.now() - timedelta(hours=1)))
        await eventually(lambda: _has(fresh, 1))
        await armed(fresh, timer(2, fresh.clock.now() - timedelta(hours=1)))
        await eventually(lambda: _has(fresh, 2))


async def _has(database: Database, number: int) -> bool:
    return len(await owners(database)) == number


async def test_a_failing_timer_does_not_hold_up_its_neighbours_and_is_parked(
    fresh: Database, caplog: pytest.LogCaptureFixture
) -> None:
    fired = Fired()
    fired.broken.add("13")
    past = fresh.clock.now() - timedelta(seconds=1)
    await armed(fresh, *(timer(number, past) for number in (12, 13, 14)))
    dispatcher = Dispatcher(fresh, {"conversation": fired})
    for _ in range(5):
        await dispatcher.fire_due()
        await fresh.execute("UPDATE kefu_timers SET fire_at = due_at")
    assert sorted(await owners(fresh)) == ["12", "14"]
    [item] = await parked.list_parked(fresh, consumer="timers")
    assert (item.item_id, item.tries, item.error) == ("conversation/13/first_response", 5, "ValueError")
    assert await dispatcher.next_due() is None
    fired.broken.clear()
    assert await parked.retry(fresh, "timers", item.item_id)
    await dispatcher.fire_due()
    assert sorted(await owners(fresh)) == ["12", "13", "14"]
    assert not await parked.list_parked(fresh)
    assert "ValueError" in caplog.text


async def test_a_timer_that_nobody_handles_is_parked_not_lost(fresh: Database) -> None:
    await armed(fresh, timer(1, fresh.clock.now() - timedelta(seconds=1)))
    dispatcher = Dispatcher(fresh, {})
    for _ in range(5):
        await dispatcher.fire_due()
        await fresh.execute("UPDATE kefu_timers SET fire_at = due_at")
    assert [item.error for item in await parked.list_parked(fresh)] == ["LookupError"]


async def test_what_is_due_is_found_by_the_index(fresh: Database) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    await fresh.execute(
        "INSERT INTO kefu_timers SELECT 'conversation', n, 'k', 'desk', 1, $1::timestamptz + n * interval '1 s',"
        " $1::timestamptz + n * interval '1 s' FROM generate_series(1, 20000) n",
        past,
    )
    await fresh.execute("ANALYZE kefu_timers")
    for query, arguments in ((CLAIM, "'-infinity', 100"), (NEXT, "'-infinity'")):
        for mode in ("force_generic_plan", "force_custom_plan"):
            async with fresh.transaction() as tx:
                await tx.execute(f"SET LOCAL plan_cache_mode = {mode}")
                kinds = "timestamptz, int" if query is CLAIM else "timestamptz"
                await tx.execute(f"PREPARE q ({kinds}) AS {query}")
                plan = "\n".join(row[0] for row in await tx.fetch(f"EXPLAIN EXECUTE q ({arguments})"))
                await tx.execute("DEALLOCATE q")
                assert "Seq Scan" not in plan, plan
                assert "Index Cond" in plan, plan
                assert "now()" in plan or query is NEXT, plan


async def test_the_virtual_clock_is_an_index_condition_too(databases: Databases) -> None:
    database = Database((await databases.clone("kit", virtual=NOON))["kit"], "kit")
    await database.open(hints=False)
    await database.execute("SET enable_seqscan = off")
    plan = "\n".join(
        row[0] for row in await database.fetch("EXPLAIN SELECT 1 FROM kefu_timers WHERE fire_at <= kefu_now()")
    )
    assert "Index Cond: (fire_at <= kefu_now())" in plan, plan
    await database.close()


DISPATCH = """
import asyncio, sys
from services.kit.db import Database
from services.kit.timers import Dispatcher

async def fire(timers, tx):
    await tx.executemany("INSERT INTO fired (owner, kind) VALUES ($1, $2)", [(t.owner_id, t.kind) for t in timers])
    await tx.execute("SELECT pg_sleep(0.01)")

async def main():
    database = Database(sys.argv[1], "kit")
    await database.open()
    await Dispatcher(database, {"conversation": fire}, batch=20).run()

asyncio.run(main())
"""


async def test_killed_dispatchers_lose_nothing_and_double_nothing(fresh: Database) -> None:
    now = fresh.clock.now()
    number = 3_000
    await armed(fresh, *(timer(one, now + timedelta(milliseconds=one)) for one in range(number)))
    url = fresh.pool.dsn

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", DISPATCH, url], env=dict(os.environ))

    workers = [begin(), begin()]
    try:
        for round_ in range(4):
            so_far = len(await owners(fresh))
            await eventually(functools.partial(_at_least, fresh, so_far + 200), seconds=30)
            victim = workers[round_ % 2]
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            workers[round_ % 2] = begin()
        await eventually(lambda: _has(fresh, number), seconds=60)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert Counter(await owners(fresh)) == Counter(str(one) for one in range(number))
    assert await fresh.fetchval("SELECT count(*) FROM kefu_timers") == 0


async def _at_least(database: Database, number: int) -> bool:
    return len(await owners(database)) >= number
