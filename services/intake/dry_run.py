"""`kefu profile dry-run` on intake's recorded conversations; whoever puts the program together adds it to `profile`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import datetime

import click

from services.intake.queries import recorded
from services.intake.queries.recorded import Judge, Recorded
from services.kit.db import Database
from services.policy.cli import dry_run_command
from services.policy.dryrun import Judgement
from services.policy.profile import Profile

DATABASE = "KEFU_DATABASE_URL"


class RecordedSource:
    """Reads histories from intake's database; its address is asked for when it is needed."""

    def __init__(self) -> None:
        self._judge = Judge()

    def histories(self, site: str, since: datetime, until: datetime) -> Iterable[Recorded]:
        """Return conversations opened in [since, until). Raises click.UsageError without an address."""
        url = os.environ.get(DATABASE)
        if not url:
            raise click.UsageError(f"Set {DATABASE} to the PostgreSQL URL of intake's role.")
        return asyncio.run(_read(url, site, since, until))

    def judge(self, history: Recorded, profile: Profile) -> Iterable[Judgement]:
        """Replay a conversation's promises under a profile."""
        return self._judge(history, profile)


def command() -> click.Command:
    """Return the command `dry-run`."""
    return dry_run_command(RecordedSource())


async def _read(url: str, site: str, since: datetime, until: datetime) -> list[Recorded]:
    database = Database(url, "intake", size=1)
    await database.open(hints=False)
    try:
        async with database.transaction(sites=[site], read_only=True) as tx:
            return await recorded.histories(tx, site, since, until)
    finally:
        await database.close()
