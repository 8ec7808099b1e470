"""`make drill-restore`: a server under writes loses its disk; how much is lost, and how long until all is back?

FILL_MB (200) is how much the database holds beforehand. Writes are durable rows of a known size, one a commit.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from services.kit.embedded import EmbeddedPostgres
from services.kit.embedded.backup import ARCHIVE_SECONDS, Backups
from tests.bench.report import Report

FILL_MB = int(os.environ.get("FILL_MB", "200"))
WRITE_SECONDS = ARCHIVE_SECONDS * 1.5
INSTANTS = int(os.environ.get("INSTANTS", "5"))
Written = list[tuple[int, datetime]]


async def fill(server: EmbeddedPostgres) -> float:
    """Fill a table; returns MiB that the whole server then holds."""
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute("CREATE TABLE noted (number integer PRIMARY KEY, at timestamptz, filler bytea)")
        query = (
            "INSERT INTO noted SELECT -n, now(), decode(repeat(md5(n::text), 64), 'hex') FROM generate_series(1, $1) n"
        )
        await connection.execute(query, FILL_MB * 1000)
        return sum(file.stat().st_size for file in (server.data / "base").rglob("*") if file.is_file()) / 1024**2
    finally:
        await connection.close()


async def write(server: EmbeddedPostgres, seconds: float) -> Written:
    """Commit rows, each after the one before is acknowledged; returns numbers with an instant after each."""
    connection = await asyncpg.connect(server.dsn())
    acknowledged: Written = []
    try:
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            number = len(acknowledged) + 1
            await connection.execute("INSERT INTO noted VALUES ($1, clock_timestamp(), '')", number)
            acknowledged.append((number, await connection.fetchval("SELECT clock_timestamp()")))
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
    return acknowledged


async def numbers(server: EmbeddedPostgres) -> int:
    """How many written rows there are; they must be the first ones, without a gap."""
    connection = await asyncpg.connect(server.dsn())
    try:
        count, last = await connection.fetchrow(
            "SELECT count(*), coalesce(max(number), 0) FROM noted WHERE number > 0"
        ) or (0, 0)
        assert count == last, f"{count} rows, the last is number {last}: one in between is missing"
        return int(count)
    finally:
        await connection.close()


def recover(
    backups: Backups, lost: EmbeddedPostgres, scratch: Path, to: datetime | None
) -> tuple[int, float, EmbeddedPostgres]:
    """Restore into a folder of its own; returns rows, and the seconds until it answers."""
    server = EmbeddedPostgres(scratch)
    server.folder.mkdir()
    shutil.copy2(lost.folder / "secrets.json", server.folder / "secrets.json")
    began = time.monotonic()
    backups.restore(server, to)
    count = asyncio.run(numbers(server))
    return count, time.monotonic() - began, server


def main() -> None:
    """Fill, back up, write, lose the disk, restore to the end and to random instants."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-drill-"))
    report = Report("restore")
    server, backups = EmbeddedPostgres(folder / "postgres"), Backups(folder / "backups")
    try:
        server.start()
        size = asyncio.run(fill(server))
        began = time.monotonic()
        asyncio.run(backups.take(server))
        report.add("database before the backup", size, "MiB")
        report.add("base backup taken and verified", time.monotonic() - began, "s")
        written = asyncio.run(write(server, WRITE_SECONDS))
        server.stop(immediate=True)
        shutil.rmtree(server.data)  # and with it the WAL that was not archived yet
        count, seconds, restored = recover(backups, server, folder / "latest", None)
        restored.stop(immediate=True)
        lost = written[-1][1] - written[count - 1][1] if count else timedelta(seconds=WRITE_SECONDS)
        report.add("RPO: age of the oldest acknowledged write that is lost", lost.total_seconds(), "s", at_most=65)
        report.add("RTO: from an empty folder to an answer", seconds, "s", at_most=900)
        report.add("RTO for each GiB", seconds / size * 1024, "s")
        chance = random.Random(7)
        wrong = 0
        for nth in range(INSTANTS):
            number, at = written[chance.randrange(count - 1)]
            found, _, one = recover(backups, server, folder / f"instant-{nth}", at)
            one.stop(immediate=True)
            wrong += found != number
        report.add(f"random instants of {INSTANTS} that did not come back exactly", wrong, "", at_most=0)
    finally:
        server.stop(immediate=True)
        shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(0 if report.finish() else 1)


if __name__ == "__main__":
    main()
