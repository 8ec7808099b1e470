"""A running staffing with rosters for the clauses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.kit.db import Database
from tests.integration.staffing.rostering import Planner, planning


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planner(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Planner]:
    """The online desk's people, contracts and profile."""
    async with planning(database, tmp_path_factory.mktemp("keys")) as found:
        await found.crew()
        yield found
