"""Backups of a local stack: take, check by restoring, and bring the stack back to an instant.

What is restored is PostgreSQL, all schemas together. The event stream is not: it is made anew, because it would hold
events that never happened and lack those that consumers had handled since; the relay publishes again what the outbox
of that instant holds, and inboxes drop what they had. Keys and passwords are no part of a backup: keep them elsewhere.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from services.kit.clock import SystemClock
from services.kit.embedded import EmbeddedError, EmbeddedNats, EmbeddedPostgres
from services.kit.embedded.backup import Backups, Base
from services.kit.migrate import migrations_of, pending, schema_version
from services.stack import control, infra
from services.stack.home import SERVICES, Home, StackError

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY ($1::text[]) ORDER BY 1
"""


@dataclass(frozen=True)
class Schema:
    """A service's schema as it was found: its newest migration, and those that this program has and it lacks."""

    version: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a restored server holds: schemas by service, rows by table; and the seconds that it took."""

    base: Base
    schemas: Mapping[str, Schema]
    rows: Mapping[str, int]
    seconds: float


def backups_of(home: Home, folder: Path | None = None) -> Backups:
    """The stack's backups, in `folder` from now on when one is given. Raises StackError when none was ever given."""
    if folder is not None:
        home.note(backups=str(folder.absolute()))
    noted = home.noted("backups", "")
    if not noted:
        raise StackError("this stack has no backups yet; begin with `kefu backup take --to FOLDER`, on another disk")
    return Backups(Path(noted))


def take(home: Home, folder: Path | None, *, keep: int) -> tuple[Base, list[Base]]:
    """Back the running stack up; returns the new backup and those that were deleted for it."""
    server = EmbeddedPostgres(home.postgres)
    if not server.running():
        raise StackError("PostgreSQL does not run; start the stack with `kefu up`")
    backups = backups_of(home, folder)
    base = asyncio.run(backups.take(server))
    return base, backups.keep(server, keep)


def check(home: Home) -> Found:
    """Restore the newest backup and all that is archived into a scratch folder, look into it, and delete it again."""
    backups = backups_of(home)
    scratch = Path(tempfile.mkdtemp(prefix="kefu-restore-"))
    server = EmbeddedPostgres(scratch / "postgres")
    try:
        _same_passwords(home.postgres, server.folder)
        return _restore(backups, server, None)
    finally:
        server.stop(immediate=True)
        shutil.rmtree(scratch, ignore_errors=True)


def restore(home: Home, to: datetime | None) -> tuple[Found, list[Path]]:
    """Bring a stopped stack back to an instant, or as far as the archive goes; returns what is there now, and where the
    folders went that were there before. On failure they are put back."""
    with control.only_one(home):
        if control.supervisor_of(home) is not None:
            raise StackError("the stack runs; stop it first with `kefu down`")
        backups = backups_of(home)
        infra.stop_servers(home)
        server = EmbeddedPostgres(home.postgres)
        aside = _aside(server.data, EmbeddedNats(home.nats).store)
        try:
            found = _restore(backups, server, to)
        except EmbeddedError:
            _put_back(aside)
            raise
        finally:
            server.stop()
        return found, list(aside.values())


def _restore(backups: Backups, server: EmbeddedPostgres, to: datetime | None) -> Found:
    began = time.monotonic()
    base = backups.restore(server, to)
    schemas, rows = asyncio.run(examine(server))
    return Found(base, schemas, rows, time.monotonic() - began)


async def examine(server: EmbeddedPostgres) -> tuple[dict[str, Schema], dict[str, int]]:
    """Read every row of every service's tables once: schemas by service, number of rows by table."""
    connection = await asyncpg.connect(server.dsn(infra.DATABASE))
    try:
        schemas = {}
        for service in SERVICES:
            await connection.execute(f'SET search_path = "{service}"')
            missing = await pending(connection, migrations_of(service, infra.migrations_folder(service)))
            schemas[service] = Schema(await schema_version(connection), tuple(missing))
        tables = [row[0] for row in await connection.fetch(_TABLES, SERVICES)]
        return schemas, {table: await _count(connection, table) for table in tables}
    finally:
        await connection.close()


async def _count(connection: asyncpg.Connection[asyncpg.Record], table: str) -> int:
    # hashing makes the server read every value, also those that lie apart (TOAST); the name comes from the catalogue
    query = f"SELECT count(*) FROM (SELECT hashtext(t::text) FROM {table} t OFFSET 0) AS read"  # noqa: S608
    return int(await connection.fetchval(query))


def _same_passwords(ours: Path, theirs: Path) -> None:
    theirs.mkdir(parents=True)
    shutil.copy2(ours / "secrets.json", theirs / "secrets.json")


def _aside(*folders: Path) -> dict[Path, Path]:
    """Move folders aside; returns where each went."""
    stamp = f"{SystemClock().now():%Y%m%d-%H%M%S}"
    moved = {folder: folder.with_name(f"{folder.name}-before-{stamp}") for folder in folders if folder.exists()}
    for folder, target in moved.items():
        folder.rename(target)
    return moved


def _put_back(moved: Mapping[Path, Path]) -> None:
    for folder, target in moved.items():
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)
