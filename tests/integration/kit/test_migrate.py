"""Migrations on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from services.kit.embedded import EmbeddedPostgres, provision
from services.kit.migrate import Connection, Migration, MigrationError, migrate, migrations_of, pending, schema_version


@contextlib.asynccontextmanager
async def schema(postgres: EmbeddedPostgres, name: str) -> AsyncIterator[Connection]:
    """An empty schema with its role's connection."""
    urls = await provision(postgres, f"migrate_{name}", [name])
    connection = await asyncpg.connect(urls[name])
    try:
        yield connection
    finally:
        await connection.close()


def folder(tmp_path: Path, **files: str) -> Path:
    for name, sql in files.items():
        (tmp_path / f"{name.removeprefix('m')}.sql").write_text(sql)
    return tmp_path


async def test_each_file_runs_once_in_order(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    files = folder(tmp_path, m0001_a="CREATE TABLE a (n int)", m0002_b="INSERT INTO a VALUES (1)")
    wanted = migrations_of("one", files)
    async with schema(postgres, "one") as connection:
        assert await schema_version(connection) == ""
        assert await pending(connection, wanted) == [migration.name for migration in wanted]
        assert await migrate(connection, wanted) == len(wanted)
        assert await migrate(connection, wanted) == 0
        assert await connection.fetchval("SELECT count(*) FROM a") == 1
        assert await schema_version(connection) == "one/0002_b.sql"
        assert await pending(connection, wanted) == []
        assert wanted[0].name == "kit/0001_kit.sql"


async def test_two_migrators_at_once_run_it_once(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    wanted = migrations_of("two", folder(tmp_path, m0001_a="CREATE TABLE a (); SELECT pg_sleep(0.2)"))
    async with schema(postgres, "two") as first, schema(postgres, "two") as second:
        counts = await asyncio.gather(migrate(first, wanted), migrate(second, wanted))
        assert sorted(counts) == [0, len(wanted)]


async def test_an_edited_file_is_refused(postgres: EmbeddedPostgres) -> None:
    async with schema(postgres, "three") as connection:
        await migrate(connection, [Migration("x/0001_a.sql", "SELECT 1", "old")])
        with pytest.raises(MigrationError, match=r"x/0001_a.sql changed after it was applied"):
            await migrate(connection, [Migration("x/0001_a.sql", "SELECT 2", "new")])


async def test_a_failing_file_leaves_nothing_and_can_be_mended(postgres: EmbeddedPostgres) -> None:
    async with schema(postgres, "four") as connection:
        with pytest.raises(MigrationError, match=r"x/0001_a\.sql failed and left nothing behind"):
            await migrate(connection, [Migration("x/0001_a.sql", "CREATE TABLE t (); SELECT nothing", "1")])
        assert await migrate(connection, [Migration("x/0001_a.sql", "CREATE TABLE t ()", "2")]) == 1


async def test_newer_migrations_do_not_disturb_older_code(postgres: EmbeddedPostgres) -> None:
    async with schema(postgres, "five") as connection:
        newer = [Migration("x/0001_a.sql", "SELECT 1", "1"), Migration("x/0002_b.sql", "SELECT 1", "2")]
        await migrate(connection, newer)
        assert await migrate(connection, newer[:1]) == 0
        assert await pending(connection, newer[:1]) == []


async def test_a_held_lock_ends_the_migration_instead_of_the_service(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.migrate.LOCK_TIMEOUT_MS", 100)
    async with schema(postgres, "six") as connection, schema(postgres, "six") as busy:
        await connection.execute("CREATE TABLE t ()")
        async with busy.transaction():
            await busy.execute("LOCK TABLE t")
            with pytest.raises(MigrationError, match="lock timeout"):
                await migrate(connection, [Migration("x/0001_a.sql", "ALTER TABLE t ADD n int", "1")])


@pytest.mark.parametrize("names", [("1_a",), ("m0001_A",), ("m0001_a", "m0001_b")])
def test_misnamed_and_doubled_numbers_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder(tmp_path, **dict.fromkeys(names, "SELECT 1"))
    with pytest.raises(MigrationError):
        migrations_of("x", tmp_path)


async def test_a_schema_is_put_into_virtual_time_once(postgres: EmbeddedPostgres) -> None:
    start = datetime(1999, 2, 1, tzinfo=UTC)
    async with schema(postgres, "seven") as connection:
        await migrate(connection, migrations_of("seven", None), virtual=start)
        assert await connection.fetchval("SELECT kefu_now()") == start
        await migrate(connection, migrations_of("seven", None), virtual=datetime(2026, 1, 1, tzinfo=UTC))
        assert await connection.fetchval("SELECT kefu_now()") == start
