"""A stack is backed up, lives on, loses its disk, and comes back to an instant: the checker finds nothing lost."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result
from kefu.intake.v1 import conversation_pb2 as pb

from services.cli import cli
from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.kit.embedded.backup import settle
from services.kit.testing.polling import eventually
from services.policy.versions import Profiles
from services.simulate import checker
from services.simulate import day as days
from services.simulate.checker import Fault, Rules
from services.simulate.desk import Desk
from services.simulate.engine import Engine
from services.simulate.record import record
from services.simulate.tokens import StackTokens
from services.stack import backup, infra
from services.stack.home import Home, StackError
from services.stack.processes import PROFILES
from services.stack.replay import fates
from services.stack.throwaway import Throwaway, serving
from tests.unit.simulate.logs import answered, hung_up, log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAY = date(1999, 2, 1)
NINE = 9 * 3600
SITE = "call-centre"
PROFILE = Profiles(PROFILES).current.versions(SITE)[-1].profile
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=PROFILE.timezone).astimezone(UTC)
NOON = MIDNIGHT + timedelta(hours=12)
SCRIPT = days.script(
    log(
        answered(1, at=NINE, wait=0, talk=90, server="A01"),
        answered(2, at=NINE + 15, wait=70, talk=45, server="A01"),
        hung_up(3, at=NINE + 20, wait=35),
    ),
    DAY,
    PROFILE,
    seed=7,
)


@pytest.fixture
def folder(scratch: Path, tmp_path: Path) -> Path:
    """A folder of the test's own that PostgreSQL's account may pass through."""
    return scratch / tmp_path.name


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A stack's folder, whose servers end with the test."""
    home = Home(folder / "home")
    monkeypatch.setenv("KEFU_HOME", str(home.folder))
    yield home
    infra.stop_servers(home, immediate=True)


def kefu(*words: str) -> Result:
    """Run a command as an operator does."""
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def test_back_to_an_instant_with_promises_running(home: Home, folder: Path) -> None:
    postgres, nats = infra.start_servers(home)
    ready = infra.prepare(home, postgres, nats, virtual=MIDNIGHT)
    with serving(home, ready) as stack:
        taken = kefu("backup", "take", "--to", str(folder / "backups"))
        assert "taken and verified" in taken.output
        sent, instant, before = asyncio.run(_live(stack, postgres))
    shutil.rmtree(postgres.data / "base")  # the disk is gone, whatever the server thinks
    infra.stop_servers(home, immediate=True)

    done = kefu("backup", "restore", "--to", instant.isoformat(), "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["rows"] == before
    assert told["missing"] == {}
    assert set(told["schemas"]) == {"crm", "gateway", "intake", "qa", "staffing"}
    assert (home.postgres / "data").exists()
    assert not EmbeddedNats(home.nats).store.exists()

    again = infra.prepare(home, *infra.start_servers(home), virtual=MIDNIGHT)
    with serving(home, again) as stack:
        faults, checked = asyncio.run(_look(stack, sent))
    assert faults == []
    assert checked["conversations"] == len(sent)
    assert checked["timers"] >= 2  # the deadline of whoever waited at that instant came with it


async def _live(stack: Throwaway, postgres: EmbeddedPostgres) -> tuple[dict[str, str], datetime, dict[str, int]]:
    """A morning; somebody waits; the instant; and what never happened."""
    async with _desk(stack) as desk:
        for shift in SCRIPT.shifts:
            await desk.hire(shift.person, days.skills(PROFILE, shift), capacity=1)
        sent = dict(fates(await Engine(desk, SCRIPT, MIDNIGHT).run()))
        await desk.advance(NOON)
        await _call(desk, "waiting")
        sent["waiting"] = "ABANDONED"
        await _still(stack)
        instant = await _clock(postgres)
        _, rows = await backup.examine(postgres)
        await _call(desk, "never")
        await desk.advance(NOON + timedelta(hours=1))
        await settle(postgres)
        return sent, instant, rows


async def _look(stack: Throwaway, sent: dict[str, str]) -> tuple[list[Fault], dict[str, int]]:
    """Let the promises of that instant run out, and check everything."""
    async with _desk(stack) as desk:
        await desk.advance(NOON + timedelta(minutes=30))
        waiting = [one async for one in desk.conversations() if one.external_id == "waiting"]
        await desk.hang_up(waiting[0].name)
        await desk.advance(MIDNIGHT + timedelta(days=2, seconds=PROFILE.closing.rating_window_s or 0))
        rules = Rules(PROFILE.sla.warn_fractions, PROFILE.closing.rating_window_s)
        capacity = {shift.person: 1 for shift in SCRIPT.shifts}
        seen = await record(desk, stack.urls["intake"], sent=sent, capacity=capacity)
    return checker.check(seen, rules), checker.counts(seen, rules)


def _desk(stack: Throwaway) -> Desk:
    tokens = StackTokens(stack.home.keys)
    return Desk(intake=stack.addresses["intake"], staffing=stack.addresses["staffing"], site=SITE, tokens=tokens)


async def _call(desk: Desk, key: str) -> None:
    queue = SCRIPT.callers[0].queue
    await desk.arrive(channel=pb.CHANNEL_PHONE, key=key, customer=key, tier="", queue=queue)


async def _still(stack: Throwaway) -> None:
    """Wait until every audit row is in the chain: sealing is the one thing that goes on by itself."""
    for service in ("intake", "staffing"):
        connection = await asyncpg.connect(stack.urls[service], server_settings={"search_path": service})
        try:
            open_rows = "SELECT count(*) = 0 FROM kefu_audit WHERE link IS NULL"
            await eventually(lambda: connection.fetchval(open_rows))  # noqa: B023
        finally:
            await connection.close()


async def _clock(postgres: EmbeddedPostgres) -> datetime:
    connection = await asyncpg.connect(postgres.dsn())
    try:
        instant: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return instant
    finally:
        await connection.close()


def test_a_backup_is_proved_by_restoring_it_beside_the_stack(home: Home, folder: Path) -> None:
    infra.prepare(home, *infra.start_servers(home))
    with pytest.raises(StackError, match="no backups yet; begin with"):
        kefu("backup", "list")
    kefu("backup", "take", "--to", str(folder / "backups"))
    told = json.loads(kefu("backup", "check", "--json").output)
    assert told["rows"]["gateway.kefu_migrations"] >= 2
    assert told["missing"] == {}
    assert EmbeddedPostgres(home.postgres).running()
    assert len(json.loads(kefu("backup", "list", "--json").output)) == 1
    found = {one["topic"]: one for one in json.loads(kefu("doctor", "--json").output)}
    assert found["backup"]["state"] == "ok"


def test_a_restore_that_fails_puts_back_what_was_there(home: Home, folder: Path) -> None:
    infra.prepare(home, *infra.start_servers(home))
    kefu("backup", "take", "--to", str(folder / "backups"))
    infra.stop_servers(home)
    for instant, words in (("2001-01-01T00:00:00Z", "no base backup"), ("2101-01-01T00:00:00Z", "ends before")):
        failed = CliRunner().invoke(cli, ["backup", "restore", "--to", instant, "--yes"])
        assert failed.exit_code == 1
        assert words in str(failed.exception)
        assert (home.postgres / "data" / "PG_VERSION").exists()
        assert EmbeddedNats(home.nats).store.exists()
    assert "lacks its offset" in kefu("backup", "restore", "--to", "2026-01-01T00:00:00").output
