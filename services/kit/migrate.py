"""Schema changes as plain SQL files: the kit's own, then the service's, each once, in order, in its own transaction.

Files are named `NNNN_slug.sql`. Expand first, contract in a later release: the old code must run on the new schema.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg

LOCK_TIMEOUT_MS = 5_000
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_KIT = Path(__file__).parent / "migrations"
# Two migrators of one schema wait for each other; the number only has to be ours alone.
_ADVISORY = 0x6B656675

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class MigrationError(RuntimeError):
    """A migration is missing, was edited after it ran, or failed; the text says which and what to do."""


@dataclass(frozen=True)
class Migration:
    """One file: `name` is `kit/0001_kit.sql` or `<service>/0001_….sql`, `checksum` the SHA-256 of its text."""

    name: str
    sql: str
    checksum: str


def migrations_of(service: str, folder: Path | None) -> list[Migration]:
    """Return the kit's migrations followed by the folder's, in order of their numbers.

    Raises MigrationError for a misnamed file or a number used twice.
    """
    found = _read("kit", _KIT)
    return found + _read(service, folder) if folder is not None else found


async def migrate(connection: Connection, migrations: Sequence[Migration], *, virtual: datetime | None = None) -> int:
    """Apply what is missing to the connection's schema and return how many files ran; safe to run from many places.

    `virtual` puts the schema's clock into virtual time, starting there, if it is not there yet.
    Raises MigrationError when an applied file was edited or has gone, or when a file fails.
    """
    await connection.execute("SELECT pg_advisory_lock($1, hashtext(current_schema()))", _ADVISORY)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS kefu_migrations (position integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,"
            " name text NOT NULL UNIQUE, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = await _applied(connection)
        _refuse_edited(applied, migrations)
        missing = [migration for migration in migrations if migration.name not in applied]
        for migration in missing:
            await _apply(connection, migration)
        if virtual is not None:
            await connection.execute("SELECT kefu_clock_virtual($1)", virtual)
        return len(missing)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1, hashtext(current_schema()))", _ADVISORY)


async def schema_version(connection: Connection) -> str:
    """Return the name of the newest applied migration, or an empty text for an empty schema; for readiness."""
    if await connection.fetchval("SELECT to_regclass('kefu_migrations') IS NULL"):
        return ""
    query = "SELECT name FROM kefu_migrations ORDER BY position DESC LIMIT 1"
    return str(await connection.fetchval(query) or "")


async def pending(connection: Connection, migrations: Sequence[Migration]) -> list[str]:
    """Return the names of the migrations that this code needs and the schema does not have yet."""
    if await connection.fetchval("SELECT to_regclass('kefu_migrations') IS NULL"):
        return [migration.name for migration in migrations]
    applied = await _applied(connection)
    return [migration.name for migration in migrations if migration.name not in applied]


def _read(owner: str, folder: Path) -> list[Migration]:
    files = sorted(folder.glob("*.sql"))
    if wrong := [file.name for file in files if not _NAME.fullmatch(file.name)]:
        raise MigrationError(f"{folder}: {', '.join(wrong)} must be named NNNN_slug.sql")
    numbers = [file.name[:4] for file in files]
    if twice := {number for number in numbers if numbers.count(number) > 1}:
        raise MigrationError(f"{folder}: number {', '.join(sorted(twice))} is used twice; renumber the newer file")
    texts = [(file.name, file.read_text(encoding="utf-8")) for file in files]
    return [Migration(f"{owner}/{name}", text, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts]


async def _applied(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, checksum FROM kefu_migrations")
    return {row["name"]: row["checksum"] for row in rows}


def _refuse_edited(applied: dict[str, str], migrations: Sequence[Migration]) -> None:
    edited = [m.name for m in migrations if m.name in applied and applied[m.name] != m.checksum]
    if edited:
        raise MigrationError(
            f"{', '.join(edited)} changed after it was applied; restore it and put the change into a new file"
        )


async def _apply(connection: Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO kefu_migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed and left nothing behind: {error}") from error
