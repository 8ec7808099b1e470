"""`kefu qa draw` and `kefu qa verify-draw`, as somebody types them."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli import cli
from services.kit.crypto import Keys
from services.kit.db import Database
from services.policy.desk import SiteProfiles
from services.qa.domain import weeks
from tests.integration.qa.conftest import PROFILES, SITE, parts_of

SERVICES = ("qa",)


async def kefu(*arguments: str) -> Result:
    """Run a command. It has an event loop of its own, so it gets a thread."""
    return await asyncio.to_thread(CliRunner().invoke, cli, arguments)


async def recorded(database: Database, profiles: SiteProfiles, folder: Path) -> None:
    """A week that is over, its seed promised before it, with nine recordings."""
    parts = parts_of(database, profiles, folder)
    profile = profiles.at(SITE, database.clock.now())
    first = weeks.monday(database.clock.now(), profile.timezone) - timedelta(days=7)
    start, _ = weeks.bounds(first, profile.timezone)
    async with database.transaction(sites=[SITE]) as tx:
        tx.now = start - timedelta(days=3)
        await parts.draws.commit(tx, profile)
        for number in range(9):
            tx.now = start + timedelta(hours=number + 2)
            await parts.recordings.register(
                tx,
                SITE,
                kind="TRANSCRIPT",
                subject=f"sites/{SITE}/conversations/c{number}",
                person=f"p{number % 2}",
                channel="WEB",
                started_at=tx.now - timedelta(minutes=9),
                ended_at=tx.now - timedelta(minutes=1),
                actor="intake",
            )


def falsify(record: Path) -> None:
    """Say of a record that more was missing."""
    record.write_text(record.read_text().replace('"shortfall": 0', '"shortfall": 1'))


@pytest.mark.clause("ONLINE-4.2.2-1")
async def test_a_week_is_drawn_published_and_run_again(
    database: Database, database_urls: dict[str, str], profiles: SiteProfiles, tmp_path: Path
) -> None:
    await recorded(database, profiles, tmp_path)
    assert Keys.read(tmp_path / "sealing.json")
    where = ("--database", database_urls["qa"], "--profiles", str(PROFILES))
    own = ("--sealing-keys", str(tmp_path / "sealing.json"), "--objects", (tmp_path / "objects").as_uri())
    wanted = ("qa", "draw", "--site", SITE, "--out", str(tmp_path / "out"), *where, *own)
    done = await kefu(*wanted, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["made"] == [told["draw"]]
    assert [(one["size"], one["drawn"]) for one in told["units"]] == [(9, 5)]
    again = await kefu(*wanted)
    assert "none was due" in again.output
    judged = await kefu("qa", "verify-draw", told["record"], told["frame"])
    assert (judged.exit_code, judged.output.split(":")[0]) == (0, "agrees"), judged.output
    await asyncio.to_thread(falsify, Path(told["record"]))
    judged = await kefu("qa", "verify-draw", told["record"], told["frame"])
    assert judged.exit_code == 1
    judged = await kefu("qa", "verify-draw", "nowhere.json", told["frame"])
    assert judged.exit_code == 2
