"""Running stacks for the clauses: intake in virtual time with the demonstration sites, and the same with a bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.kit.testing.postgres import Databases
from tests.integration.intake.conftest import desk
from tests.integration.intake.desk import Desk, fresh

__all__ = ["desk"]

BOT_PATIENCE_S = 10.0


@pytest_asyncio.fixture(loop_scope="session")
async def bot_desk(databases: Databases, nats_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Intake with a bot that gets ten seconds to answer."""
    async with fresh(databases, nats_url, tmp_path, bot_patience_seconds=BOT_PATIENCE_S) as running_desk:
        yield running_desk
