"""The database part of the kit against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from pathlib import Path

import asyncpg
import pytest

from services.kit.call import Call, bind
from services.kit.db import Database, Transaction
from services.kit.deadline import Deadline
from services.kit.embedded import EmbeddedPostgres
from services.kit.errors import Aborted, DeadlineExceeded, KefuError, ResourceExhausted
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS thing (name text PRIMARY KEY)")

    async def fails() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO thing VALUES ('a')")
            raise LookupError

    with pytest.raises(LookupError):
        await fails()
    assert await database.fetchval("SELECT count(*) FROM thing") == 0


async def test_a_cancelled_block_leaves_nothing_and_its_connection_is_usable(databases: Databases) -> None:
    database = Database((await databases.clone("kit"))["kit"], "kit", size=1)
    await database.open(hints=False)
    await database.execute("CREATE TABLE thing (name text PRIMARY KEY)")

    async def hangs() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO thing VALUES ('a')")
            await tx.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(hangs())
    watcher = Database(database.pool.dsn, "kit")
    await watcher.open(hints=False)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    await eventually(lambda: watcher.fetchval(sleeping))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.fetchval("SELECT count(*) FROM thing") == 0
    await database.close()
    await watcher.close()


async def test_what_waits_for_the_commit_is_let_go_after_it(database: Database) -> None:
    class Work:
        tx: Transaction

        def done(self) -> None: ...

    async def commits() -> weakref.ref[Work]:
        work = Work()
        async with database.transaction() as tx:
            work.tx = tx
            tx.after_commit(work.done)
        return weakref.ref(work)

    gc.disable()  # by counting references alone
    try:
        assert (await commits())() is None
    finally:
        gc.enable()


async def test_the_same_connection_is_used_again_with_its_statements(database: Database) -> None:
    first = await database.fetchval("SELECT pg_backend_pid()")
    assert {await database.fetchval("SELECT pg_backend_pid()") for _ in range(5)} == {first}
    assert await database.fetchval("SELECT count(*) FROM pg_prepared_statements") >= 1


async def test_a_statement_ends_at_the_deadline_of_the_call(database: Database) -> None:
    began = time.monotonic()
    with bind(Call("m", deadline=Deadline(0.2))), pytest.raises(DeadlineExceeded):
        await database.fetch("SELECT pg_sleep(20)")
    assert time.monotonic() - began < 2


async def test_a_passed_deadline_starts_nothing(database: Database) -> None:
    with bind(Call("m", deadline=Deadline(-1))), pytest.raises(DeadlineExceeded):
        await database.fetch("SELECT 1")


async def test_an_exhausted_pool_refuses_in_time(databases: Databases) -> None:
    database = Database((await databases.clone("kit"))["kit"], "kit", size=1)
    await database.open(hints=False)
    async with database.transaction():
        with bind(Call("m", deadline=Deadline(0.1))), pytest.raises(ResourceExhausted):
            await database.fetch("SELECT 1")
    await database.close()


async def test_a_deadlock_is_aborted_for_one_of_the_two(database: Database) -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS pair AS SELECT 1 AS id UNION SELECT 2")
    both_hold = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with database.transaction() as tx:
            await tx.execute("SELECT 1 FROM pair WHERE id = $1 FOR UPDATE", first)
            await both_hold.wait()
            await tx.execute("SELECT 1 FROM pair WHERE id = $1 FOR UPDATE", second)

    outcomes = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Aborted]


async def test_what_a_constraint_says_is_left_to_the_store(database: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute("INSERT INTO kefu_inbox VALUES ('c', 'e'), ('c', 'e')")


async def test_row_level_security_is_a_second_wall(database: Database) -> None:
    await database.execute("CREATE TABLE walled (site text NOT NULL); SELECT kefu_protect('walled')")
    await database.execute("INSERT INTO walled VALUES ('desk'), ('mall')")
    async with database.transaction(sites=["mall", "o'brien"]) as tx:
        assert [row["site"] for row in await tx.fetch("SELECT site FROM walled")] == ["mall"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute("INSERT INTO walled VALUES ('desk')")
        await tx.execute("ROLLBACK; BEGIN")
    assert await database.fetchval("SELECT count(*) FROM walled") == 2


async def test_a_reading_shows_its_sites_writes_nothing_and_leaves_nothing_behind(databases: Databases) -> None:
    database = Database((await databases.clone("kit"))["kit"], "kit", size=1)
    await database.open(hints=False)
    await database.execute("CREATE TABLE secured (site text, word text)")
    await database.execute("SELECT kefu_protect('secured')")
    await database.execute("INSERT INTO secured VALUES ('desk', 'a'), ('it''s', 'b')")
    seen = "SELECT word FROM secured ORDER BY word"
    for sites, words in ((["desk"], ["a"]), (["it's"], ["b"]), (["desk", "it's"], ["a", "b"]), ([], [])):
        async with database.reading(sites=sites) as reading:
            assert [row["word"] for row in await reading.fetch(seen)] == words
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await reading.fetch("DELETE FROM secured RETURNING word")
    async with database.reading(sites=["desk"], plan_each=True) as reading:
        assert await reading.fetchval("SHOW plan_cache_mode") == "force_custom_plan"
    async with database.transaction() as tx:  # in the same session
        await tx.execute("INSERT INTO secured VALUES ('desk', 'c')")
        assert len(await tx.fetch(seen)) == 3
    async with database.transaction(sites=[]) as tx:
        assert await tx.fetch(seen) == []
    await database.execute("DELETE FROM secured WHERE word = 'c'")
    assert len(await database.fetch(seen)) == 2
    assert await database.fetchval("SHOW plan_cache_mode") == "auto"
    await database.close()


async def test_readings_of_a_site_find_a_session_that_was_told(databases: Databases) -> None:
    database = Database((await databases.clone("kit"))["kit"], "kit", size=2)
    await database.open(hints=False)
    process = "SELECT pg_backend_pid()"
    async with database.reading(sites=["desk"]) as one, database.reading(sites=["shop"]) as other:
        told = {"desk": await one.fetchval(process), "shop": await other.fetchval(process)}
    for site in ("desk", "shop", "desk", "desk", "shop"):
        async with database.reading(sites=[site]) as reading:
            assert await reading.fetchval(process) == told[site]
    await database.close()


async def test_a_session_that_was_told_half_is_not_used_again(databases: Databases) -> None:
    database = Database((await databases.clone("kit"))["kit"], "kit", size=1)
    await database.open(hints=False)
    before = await database.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(TimeoutError):
        await database.pool.take(0.1, scope="SET default_transaction_read_only = on; SELECT pg_sleep(20)")
    assert await database.fetchval("SELECT pg_backend_pid()") != before
    assert await database.fetchval("SHOW default_transaction_read_only") == "off"
    await database.close()


async def test_no_role_reads_another_service(databases: Databases) -> None:
    urls = await databases.clone("one", "other")
    stranger = await asyncpg.connect(urls["other"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stranger.fetch("SELECT * FROM one.kefu_outbox")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stranger.execute("CREATE TABLE public.mine ()")
    await stranger.close()


async def test_hints_reach_this_process_and_the_others(databases: Databases) -> None:
    url = (await databases.clone("kit"))["kit"]
    here, there = Database(url, "kit"), Database(url, "kit")
    await here.open()
    await there.open()
    near, far = here.hints.subscribe("work"), there.hints.subscribe("work")
    here.hints.give("work")
    assert near.is_set()
    limit = time.monotonic() + 10
    while not far.is_set() and time.monotonic() < limit:  # a hint given before the other listens is lost, by design
        here.hints.give("work")
        await asyncio.sleep(0.05)
    assert far.is_set()
    await here.close()
    await there.close()


async def test_calls_fail_in_time_while_postgresql_is_away_and_work_again_afterwards(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    server.start()
    urls = await Databases(server).clone("kit")
    database = Database(urls["kit"], "kit")
    await database.open()
    outcomes: list[str] = []
    stop = asyncio.Event()

    async def client() -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                with bind(Call("m", deadline=Deadline(1.0))):
                    await database.fetchval("SELECT 1")
                outcomes.append("OK")
            except KefuError as error:
                outcomes.append(error.code.name)
            assert time.monotonic() - began < 1.5
            await asyncio.sleep(0.005)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await eventually(lambda: outcomes.count("OK") > 20)
    await asyncio.to_thread(server.stop, immediate=True)
    await eventually(lambda: outcomes.count("UNAVAILABLE") > 20)
    await asyncio.to_thread(EmbeddedPostgres(tmp_path / "postgres", port=server.port, durable=False).start)
    before = len(outcomes)
    await eventually(lambda: "OK" in outcomes[before:])
    stop.set()
    await asyncio.gather(*clients)
    await database.close()
    assert set(outcomes) <= {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
    server.stop(immediate=True)
