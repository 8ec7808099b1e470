"""Base backups and archived WAL of an embedded PostgreSQL, and the way back to any instant between them.

The server's own means do it: pg_basebackup, archive_command and restore_command. In a folder:
`base/<instant>` for each base backup (named by the database's clock at its end, UTC), `wal/` for compressed segments.
"""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from services.kit.embedded import manifest
from services.kit.embedded.ports import EmbeddedError, run_as
from services.kit.embedded.postgres import SUPERUSER, EmbeddedPostgres, let_through

ARCHIVE_SECONDS = 60
"""A segment is archived that long after its first change at the latest: what a lost disk can take with it."""
RESTORE_SECONDS = 4 * 3600.0
TRIES = 10
"""Segments that are watched for the first one in the archive."""
_NAME = "%Y%m%dT%H%M%S.%fZ"
# Written beside its name and moved there once it is on the disk; a segment that comes again must be the same.
_ARCHIVE = (
    'if test -f "{wal}/%f.gz"; then gzip -dc "{wal}/%f.gz" | cmp -s - "%p"; '
    'else gzip -1 < "%p" > "{wal}/.%f" && sync "{wal}/.%f" && mv "{wal}/.%f" "{wal}/%f.gz"; fi'
)
_FETCH = 'gzip -dc "{wal}/%f.gz" > "%p"'
_NOT_REACHED = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True, slots=True)
class Base:
    """One base backup: where it lies, and from which instant on it can be brought forward."""

    path: Path
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Archiver:
    """What the server says of its archiving; instants are None before the first."""

    on: bool
    archived_at: datetime | None
    failed_at: datetime | None

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self.failed_at is not None and (self.archived_at is None or self.failed_at > self.archived_at)


class Backups:
    """The backups of one server in `folder`, which should be on another disk than the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._wal = self.folder / "wal"
        self._bases = self.folder / "base"

    def bases(self) -> list[Base]:
        """The base backups that are complete, oldest first."""
        found = self._bases.glob("*Z") if self._bases.exists() else ()
        return [Base(path, datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)) for path in sorted(found)]

    async def take(self, server: EmbeddedPostgres) -> Base:
        """Archive from now on, copy the running server and verify the copy.

        Raises EmbeddedError when the copy fails or does not fit its manifest; nothing is then kept of it.
        """
        self._make_folders()
        await self._archive(server)
        draft = self._bases / ".draft"
        shutil.rmtree(draft, ignore_errors=True)
        where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", SUPERUSER]
        try:
            how = ["-X", "stream", "-c", "fast", f"--manifest-checksums={manifest.ALGORITHM}"]
            server.run("pg_basebackup", *where, "-D", draft, *how, password=server.password(SUPERUSER))
            manifest.verify(draft)
        except EmbeddedError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        now: datetime = await _ask(server, "SELECT now()")
        base = Base(self._bases / now.astimezone(UTC).strftime(_NAME), now)
        draft.rename(base.path)
        return base

    def keep(self, server: EmbeddedPostgres, number: int) -> list[Base]:
        """Delete all but the newest `number` (at least one) base backups and the segments that only they need."""
        bases = self.bases()
        gone, kept = bases[:-number], bases[-number:]
        for base in gone:
            shutil.rmtree(base.path)
        if gone:
            server.run("pg_archivecleanup", "-x", ".gz", self._wal, _first_segment(kept[0]))
        return gone

    def restore(self, server: EmbeddedPostgres, to: datetime | None = None) -> Base:
        """Bring a server that has no data to an instant, or as far as the archive goes, and start it.

        It begins a new timeline and archives nothing until the next `take`. Raises EmbeddedError when no base backup
        is old enough, the base is damaged, the archive ends before `to`, or the server's folder holds data.
        """
        if server.data.exists():
            raise EmbeddedError(f"{server.data} holds data; move it away first, it may be all that is left")
        base = self._base_for(to)
        manifest.verify(base.path)
        shutil.copytree(base.path, server.data, symlinks=True)
        # without hot standby the server says that it is ready only when it has got there
        settings = f"restore_command = '{_FETCH.format(wal=self._wal)}'\nhot_standby = off\n"
        settings += "recovery_target_action = 'promote'\n"
        if to is not None:
            settings += f"recovery_target_time = '{to.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}'\n"
        (server.data / "archive.conf").write_text(settings)
        (server.data / "recovery.signal").touch()
        _hand_over(server.data)
        try:
            server.start(within=RESTORE_SECONDS)
        except EmbeddedError as error:
            if _NOT_REACHED in str(error):
                words = f"the archive in {self._wal} ends before {to}; restore without an instant to get all there is"
                raise EmbeddedError(words) from error
            raise
        (server.data / "archive.conf").write_text("")
        return base

    def _base_for(self, to: datetime | None) -> Base:
        fitting = [base for base in self.bases() if to is None or base.ended_at <= to]
        if not fitting:
            known = ", ".join(f"{base.ended_at:%F %T} UTC" for base in self.bases()) or "none"
            raise EmbeddedError(f"no base backup in {self._bases} ended before {to or 'now'}; there are: {known}")
        return fitting[-1]

    def _make_folders(self) -> None:
        account = run_as()
        for folder in (self._wal, self._bases):
            folder.mkdir(parents=True, exist_ok=True)
            if account is not None:
                let_through(folder)
                os.chown(folder, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
            folder.chmod(0o700)

    async def _archive(self, server: EmbeddedPostgres) -> None:
        file = server.data / "archive.conf"
        command = _ARCHIVE.format(wal=self._wal)
        file.write_text(f"archive_command = '{command}'\narchive_timeout = {ARCHIVE_SECONDS}s\n")
        file.chmod(0o644)
        await _ask(server, "SELECT pg_reload_conf()")
        for _ in range(TRIES):
            # proof that the folder takes segments; what the archiver took before it heard of it went elsewhere
            await _ask(server, "SELECT pg_logical_emit_message(true, 'kefu', 'archive')")
            if (self._wal / f"{await settle(server)}.gz").exists():
                return
        raise EmbeddedError(f"no segment comes into {self._wal}; see {server.log}")


async def archiver(server: EmbeddedPostgres) -> Archiver:
    """Whether a running server archives, and how its last tries went."""
    connection = await asyncpg.connect(server.dsn())
    try:
        on = await connection.fetchval("SHOW archive_timeout") != "0"
        row = await connection.fetchrow("SELECT last_archived_time, last_failed_time FROM pg_stat_archiver")
        assert row is not None
        return Archiver(on, row["last_archived_time"], row["last_failed_time"])
    finally:
        await connection.close()


async def settle(server: EmbeddedPostgres, *, within: timedelta = timedelta(seconds=30)) -> str:
    """Close the segment in use, return its name once it is archived. Raises EmbeddedError when that takes too long."""
    connection = await asyncpg.connect(server.dsn())
    try:
        name: str = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal() - 1)")
        limit = await connection.fetchval("SELECT clock_timestamp() + $1::interval", within)
        while await connection.fetchval("SELECT coalesce(last_archived_wal, '') < $1 FROM pg_stat_archiver", name):
            if await connection.fetchval("SELECT clock_timestamp() > $1 FROM pg_sleep(0.1)", limit):
                raise EmbeddedError(f"segment {name} was not archived within {within}; see {server.log}")
        return name
    finally:
        await connection.close()


async def _ask(server: EmbeddedPostgres, query: str) -> datetime:
    connection = await asyncpg.connect(server.dsn())
    try:
        answer: datetime = await connection.fetchval(query)
        return answer
    finally:
        await connection.close()


def _first_segment(base: Base) -> str:
    """The first segment that a base backup needs, from its label: `START WAL LOCATION: 0/2000028 (file 0000…)`."""
    return (base.path / "backup_label").read_text().split("(file ")[1].split(")")[0]


def _hand_over(data: Path) -> None:
    """Give a copied data folder to the account that the server runs under."""
    data.chmod(0o700)
    if account := run_as():
        user = pwd.getpwnam(account)
        let_through(data)
        for path in (data, *data.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
