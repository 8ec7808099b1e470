"""A short recorded morning on a throwaway stack in virtual time: the same twice, nothing lost, planted losses found."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from services.kit.embedded import EmbeddedPostgres
from services.policy.profile import Profile
from services.policy.versions import Profiles
from services.simulate import checker
from services.simulate import day as days
from services.simulate.calllog import CallLog
from services.simulate.checker import Rules
from services.simulate.day import Day
from services.simulate.desk import Desk
from services.simulate.engine import Engine
from services.simulate.record import record
from services.simulate.tokens import StackTokens
from services.stack.commands.simulate import simulate
from services.stack.infra import DATABASE
from services.stack.processes import PROFILES
from services.stack.replay import fates, replay
from services.stack.throwaway import Throwaway, throwaway
from tests.unit.simulate.logs import HEADING, answered, hung_up, log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAY = date(1999, 2, 1)
TEN = 10 * 3600
SITE = "call-centre"


def morning() -> list[str]:
    """Two people, ten calls, a queue in the middle: some wait, one gives up, one row is broken."""
    rows = [answered(number, at=TEN + 20 * number, wait=0, talk=90, server=f"A0{number}") for number in (1, 2)]
    rows += [answered(number, at=TEN + 15 * number, wait=70 + number, talk=45, server="A01") for number in (3, 4, 5)]
    rows += [hung_up(6, at=TEN + 70, wait=35)]
    rows += [answered(7, at=TEN + 75, wait=150, talk=30, server="A02", priority=2)]
    rows += [answered(8, at=TEN + 600, wait=0, talk=20, server="A02"), hung_up(9, at=TEN + 650, wait=0)]
    rows += [answered(10, at=TEN + 700, wait=0, talk=20, server="").replace("10:12:00", "9:12:00")]
    return rows


@pytest.fixture(scope="module")
def calls() -> CallLog:
    return log(*morning())


def test_the_same_seed_makes_the_same_decisions_and_nothing_is_lost(calls: CallLog) -> None:
    first, second = (replay(calls, DAY, site=SITE, seed=7) for _ in range(2))
    assert first.faults == ()
    assert first.checked["conversations"] == 8
    assert first.decisions == second.decisions
    assert (first.replay, first.log.offered) == (second.replay, 8)
    assert (first.left_in_vru, len(first.malformed)) == (1, 1)


def test_the_command_prints_both_sides_and_writes_json(calls: CallLog, tmp_path: Path) -> None:
    file = tmp_path / "calls.tsv.gz"
    file.write_bytes(gzip.compress("\n".join([HEADING, *morning()]).encode()))
    arguments = ["--site", SITE, "--calls", str(file), "--day", "1999-02-01", "--json", str(tmp_path / "out.json")]
    done = CliRunner().invoke(simulate, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "skipped line 11: negative service time" in done.output
    assert "nothing lost" in done.output
    (report,) = json.loads((tmp_path / "out.json").read_text())
    assert report["log"]["abandoned"] == 1
    assert report["log"]["answered"] == 7


PLANTED = [
    (
        "lost timer",
        "DELETE FROM kefu_timers WHERE ctid = (SELECT ctid FROM kefu_timers WHERE owner_kind = 'conversation' LIMIT 1)",
    ),
    (
        "lost history",
        """DELETE FROM conversation_history WHERE ctid = (
        SELECT ctid FROM conversation_history WHERE what = 'FIRST_RESPONSE BREACHED' LIMIT 1)""",
    ),
    (
        "untimely timer",
        """UPDATE conversation_history SET at = at - interval '1 second' WHERE ctid = (
        SELECT ctid FROM conversation_history WHERE what = 'FIRST_RESPONSE WARNED' LIMIT 1)""",
    ),
    ("wrong fate", "UPDATE conversations SET state = 'SERVING' WHERE external_id LIKE '%-6'"),
    ("lost conversation", "DELETE FROM conversations WHERE external_id LIKE '%-8'"),
]


def test_losses_planted_behind_the_services_backs_are_found(calls: CallLog) -> None:
    profile = Profiles(PROFILES).current.versions(SITE)[-1].profile
    script = days.script(calls, DAY, profile, seed=7)
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=profile.timezone).astimezone(UTC)
    with throwaway(midnight) as stack:
        found = asyncio.run(_plant(stack, script, profile, midnight))
    for rule, _ in PLANTED:
        assert rule in found, f"{rule} was planted, {sorted(found)} were found"


async def _plant(stack: Throwaway, script: Day, profile: Profile, midnight: datetime) -> set[str]:
    """Play, plant one loss after the other, and return every rule that the checker found broken on the way."""
    rules = Rules(profile.sla.warn_fractions, profile.closing.rating_window_s)
    tokens = StackTokens(stack.home.keys)
    rules_broken: set[str] = set()
    async with Desk(
        intake=stack.addresses["intake"], staffing=stack.addresses["staffing"], site=SITE, tokens=tokens
    ) as desk:
        for shift in script.shifts:
            await desk.hire(shift.person, days.skills(profile, shift), capacity=1)
        sent = fates(await Engine(desk, script, midnight).run())
        capacity = {shift.person: 1 for shift in script.shifts}
        # a superuser without triggers: the roles of the services could not do this to append-only tables
        admin = await asyncpg.connect(EmbeddedPostgres(stack.home.postgres).dsn(DATABASE))
        await admin.execute("SET search_path = intake; SET session_replication_role = replica")
        try:
            for rule, statement in PLANTED:
                assert await admin.execute(statement) in ("DELETE 1", "UPDATE 1"), statement
                seen = await record(desk, stack.urls["intake"], sent=sent, capacity=capacity)
                now = {fault.rule for fault in checker.check(seen, rules)}
                assert rule in now, f"{rule} was planted, {sorted(now)} were found"
                rules_broken |= now
        finally:
            await admin.close()
    return rules_broken
