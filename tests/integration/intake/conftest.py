"""A virtual stack of intake per test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.kit.testing.postgres import Databases
from tests.integration.intake.desk import Desk, fresh


@pytest_asyncio.fixture(loop_scope="session")
async def desk(databases: Databases, nats_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Intake in virtual time on a database of its own."""
    async with fresh(databases, nats_url, tmp_path) as running_desk:
        yield running_desk
