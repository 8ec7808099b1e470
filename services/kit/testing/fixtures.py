"""pytest plugin: real PostgreSQL and NATS for every test that asks; `tests/conftest.py` loads it.

A module may say `SERVICES = ("intake", "staffing")` to get those schemas; `database` is the first of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.kit.db import Database
from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.kit.testing.nats import empty
from services.kit.testing.postgres import Databases, service_of


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for the session's servers, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[EmbeddedPostgres]:
    """The session's PostgreSQL server."""
    server = EmbeddedPostgres(scratch / "postgres", durable=False)
    server.start()
    yield server
    server.stop(immediate=True)


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres) -> Databases:
    """Makes databases: `await databases.clone("intake")` gives `{"intake": url}`."""
    return Databases(postgres)


@pytest.fixture(scope="session")
def nats_server(scratch: Path) -> Iterator[EmbeddedNats]:
    """The session's NATS JetStream server."""
    server = EmbeddedNats(scratch / "nats")
    server.start()
    yield server
    server.stop(immediate=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nats_url(nats_server: EmbeddedNats) -> str:
    """URL of the NATS server, empty at the start of the module."""
    await empty(nats_server.url)
    return nats_server.url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database_urls(request: pytest.FixtureRequest, databases: Databases) -> dict[str, str]:
    """Connection URLs of the module's services into one fresh database."""
    return await databases.clone(*service_of(request.module))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(request: pytest.FixtureRequest, database_urls: dict[str, str]) -> AsyncIterator[Database]:
    """The first of the module's services, opened."""
    service = service_of(request.module)[0]
    opened = Database(database_urls[service], service)
    await opened.open()
    yield opened
    await opened.close()
