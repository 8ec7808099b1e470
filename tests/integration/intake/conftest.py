"""A virtual stack of intake per test module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.kit.testing.nats import empty
from services.kit.testing.postgres import Databases
from tests.integration.intake.desk import START, Desk, running


@pytest_asyncio.fixture(loop_scope="session")
async def desk(databases: Databases, nats_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Intake in virtual time on a database of its own."""
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, tmp_path) as desk:
        yield desk
