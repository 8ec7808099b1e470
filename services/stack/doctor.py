"""What is wrong with a stack, and what to do about each thing."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg

from services.kit.embedded import EmbeddedNats, EmbeddedPostgres, role_of
from services.kit.embedded.ports import is_free
from services.kit.migrate import migrations_of, pending
from services.stack import control, ports, status
from services.stack.home import OFFSETS, OPTIONAL, SERVICES, Home
from services.stack.infra import DATABASE, migrations_folder
from services.stack.processes import PROFILES

DISK_MB = 2_000
CLOCK_SECONDS = 2.0
OVERDUE_SECONDS = 5.0
LAG_SECONDS = 10.0
BLOCKED_SECONDS = 2.0
BACKUP_AGE = timedelta(hours=26)
OK, WARNING, WRONG = "ok", "warning", "wrong"

_OVERDUE = """
SELECT count(*) AS number, coalesce(extract(epoch FROM kefu_now() - min(fire_at)), 0)::float8 AS oldest
FROM kefu_timers WHERE fire_at < kefu_now() - make_interval(secs => $1)
"""
_LAG = """
SELECT count(*) AS number, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest
FROM kefu_outbox WHERE published_seq IS NULL
"""
_BLOCKING = """
SELECT pid, coalesce(nullif(application_name, ''), usename) AS who, state, left(query, 60) AS query,
    extract(epoch FROM now() - xact_start)::float8 AS seconds,
    (SELECT count(*) FROM pg_stat_activity w WHERE a.pid = ANY (pg_blocking_pids(w.pid))) AS waiting
FROM pg_stat_activity a
WHERE pid <> pg_backend_pid() AND xact_start < now() - make_interval(secs => $1)
  AND EXISTS (SELECT FROM pg_stat_activity w WHERE a.pid = ANY (pg_blocking_pids(w.pid)))
ORDER BY xact_start
"""
_PARKED = "SELECT count(*) FROM kefu_parked WHERE parked_at IS NOT NULL"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, and what to do unless it is ok."""

    topic: str
    state: str
    words: str
    remedy: str = ""

    def plain(self) -> dict[str, str]:
        """For machines."""
        return asdict(self)


def examine(home: Home) -> list[Finding]:
    """Look at everything; parts that depend on one that is away are left out."""
    findings = [_python(), _disk(home), *_ports(home), *_profiles(PROFILES), *_processes(home)]
    postgres = EmbeddedPostgres(home.postgres)
    if not home.postgres.exists() or not postgres.running():
        findings.append(Finding("PostgreSQL", WRONG, "does not run", "start the stack: kefu up"))
        return findings
    findings.append(Finding("PostgreSQL", OK, f"answers on port {postgres.port}"))
    findings += asyncio.run(_databases(postgres))
    return findings + asyncio.run(_sessions(postgres)) + list(_backups(home, postgres))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where it is asked
        return Finding("Python", WRONG, f"is {version}", "install Python 3.11 or newer and run `make setup` with it")
    return Finding("Python", OK, version)


def _disk(home: Home) -> Finding:
    folder = next(path for path in (home.folder, *home.folder.parents) if path.exists())
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < DISK_MB:
        return Finding("disk", WRONG, f"{free} MB free at {folder}", f"free at least {DISK_MB} MB, or move KEFU_HOME")
    return Finding("disk", OK, f"{free // 1000} GB free")


def _ports(home: Home) -> Iterator[Finding]:
    if control.supervisor_of(home) is not None:
        silent = [what for what in OFFSETS if what not in OPTIONAL and is_free(home.port(what))]
        if silent:
            words = f"nobody listens for {', '.join(silent)}"
            yield Finding("ports", WARNING, words, "see `kefu status` for the process that is down")
        else:
            yield Finding("ports", OK, f"{home.port_base} and up are ours")
        return
    if found := ports.taken(home):
        yield Finding(
            "ports", WRONG, "; ".join(map(str, found)), "stop who has them, or set KEFU_PORT_BASE to another number"
        )
    else:
        yield Finding("ports", OK, f"{home.port_base} and up are free")


def _profiles(folder: Path) -> Iterator[Finding]:
    from services.policy import loader
    from services.policy.faults import ProfileRefusedError

    good = 0
    for file in sorted(folder.glob("*.yaml")):
        try:
            loader.load(file)
            good += 1
        except ProfileRefusedError as refused:
            for fault in refused.faults:
                yield Finding(
                    "profiles", WRONG, f"kept out: {fault}", f"correct {file}; until then the last good stays"
                )
    yield Finding("profiles", OK if good else WRONG, f"{good} valid in {folder}", "" if good else "put a profile there")


def _processes(home: Home) -> Iterator[Finding]:
    found = status.read(home)
    if not found.running:
        yield Finding("stack", WRONG, f"does not run in {home.folder}", "start it: kefu up")
        return
    for row in found.rows:
        if row.state != "well":
            log = next((one["log"] for one in control.children_of(home) if one["name"] == row.name), home.logs)
            yield Finding(row.name, WRONG, f"{row.state}: {row.words}", f"read {log}")
        elif row.restarts:
            yield Finding(row.name, WARNING, row.words, "read its log for why it ended")
    if all(row.state == "well" and not row.restarts for row in found.rows):
        yield Finding("processes", OK, f"{len(found.rows)} are well")
    if not EmbeddedNats(home.nats).running():
        yield Finding("NATS", WRONG, "does not run", "start the stack again: kefu down && kefu up")


async def _sessions(postgres: EmbeddedPostgres) -> list[Finding]:
    """Who makes others wait for a lock: averages of transactions do not show it, because those do not end."""
    connection = await asyncpg.connect(postgres.dsn(DATABASE), timeout=5)
    try:
        rows = await connection.fetch(_BLOCKING, BLOCKED_SECONDS)
    finally:
        await connection.close()
    found = [
        Finding(
            "locks",
            WRONG,
            f"{row['waiting']} wait for {row['who']} (pid {row['pid']}, {row['state']} since {row['seconds']:.0f} s):"
            f" {' '.join(row['query'].split())}",
            f"end it: SELECT pg_terminate_backend({row['pid']}); commands are repeated safely",
        )
        for row in rows
    ]
    return found or [Finding("locks", OK, "nobody waits long")]


def _backups(home: Home, postgres: EmbeddedPostgres) -> Iterator[Finding]:
    from services.kit.clock import SystemClock
    from services.kit.embedded.backup import Backups, archiver

    noted = home.noted("backups", "")
    if not noted:
        return
    bases = Backups(Path(noted)).bases()
    archive = asyncio.run(archiver(postgres))
    if not archive.on or archive.failing:
        words = "the last try failed" if archive.on else "is off since a restore"
        yield Finding("archive", WRONG, words, f"look at {noted} and {postgres.log}; then `kefu backup take`")
    if not bases or SystemClock().now() - bases[-1].ended_at > BACKUP_AGE:
        words = f"the newest ended at {bases[-1].ended_at:%F %T} UTC" if bases else f"none in {noted}"
        yield Finding("backup", WARNING, words, "run `kefu backup take`, nightly from cron")
    elif archive.on and not archive.failing:
        yield Finding("backup", OK, f"{len(bases)} in {noted}, the newest of {bases[-1].ended_at:%F %T} UTC")


async def _databases(postgres: EmbeddedPostgres) -> list[Finding]:
    found: list[Finding] = []
    for service in SERVICES:
        try:
            connection = await asyncpg.connect(
                postgres.dsn(DATABASE, user=role_of(service)),
                server_settings={"search_path": service, "kefu.sites": "*"},
                timeout=5,
            )
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            words = f"cannot connect as {role_of(service)}: {type(error).__name__}"
            found.append(Finding(service, WRONG, words, "run `kefu up`, which makes roles and schemas"))
            continue
        try:
            found += [await look(connection, service) for look in _LOOKS]
        except asyncpg.UndefinedTableError:
            pass  # the schema is not there yet, which the first look has said
        finally:
            await connection.close()
    return found


async def _schema(connection: asyncpg.Connection, service: str) -> Finding:
    missing = await pending(connection, migrations_of(service, migrations_folder(service)))
    if missing:
        return Finding(f"{service} schema", WRONG, f"lacks {', '.join(missing)}", "run `kefu up`, or `kefu migrate`")
    return Finding(f"{service} schema", OK, "is at head")


async def _timers(connection: asyncpg.Connection, service: str) -> Finding:
    row = await connection.fetchrow(_OVERDUE, OVERDUE_SECONDS)
    assert row is not None
    if row["number"]:
        words = f"{row['number']} overdue, the oldest by {row['oldest']:.0f} s"
        return Finding(f"{service} timers", WRONG, words, f"is a worker of {service} running? see `kefu status`")
    return Finding(f"{service} timers", OK, "none overdue")


async def _outbox(connection: asyncpg.Connection, service: str) -> Finding:
    row = await connection.fetchrow(_LAG)
    assert row is not None
    if row["oldest"] > LAG_SECONDS:
        words = f"{row['number']} events wait, the oldest for {row['oldest']:.0f} s"
        return Finding(f"{service} outbox", WRONG, words, "is NATS up and a worker running? then `kefu reconcile`")
    return Finding(f"{service} outbox", OK, f"{row['number']} events on their way")


async def _parked(connection: asyncpg.Connection, service: str) -> Finding:
    number = await connection.fetchval(_PARKED)
    if number:
        words = f"{number} failed five times"
        return Finding(f"{service} parked", WRONG, words, f"`kefu parked list {service}`, then `kefu parked retry`")
    return Finding(f"{service} parked", OK, "nothing")


async def _clock(connection: asyncpg.Connection, service: str) -> Finding:
    from services.kit.clock import SystemClock

    offset = abs((await connection.fetchval("SELECT clock_timestamp()") - SystemClock().now()).total_seconds())
    if offset > CLOCK_SECONDS:
        words = f"the database's clock is {offset:.1f} s away from this machine's"
        return Finding(
            f"{service} clock", WARNING, words, "synchronise the clocks (NTP); deadlines follow the database"
        )
    return Finding(f"{service} clock", OK, f"{offset:.2f} s from the database's")


_LOOKS: tuple[Callable[[asyncpg.Connection, str], Awaitable[Finding]], ...] = (
    _schema,
    _timers,
    _outbox,
    _parked,
    _clock,
)
