"""A throwaway PostgreSQL and NATS for a benchmark, durable as in production, gone afterwards."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from services.kit.db import Database
from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.kit.testing.postgres import Databases


@dataclass(frozen=True)
class Stack:
    """What a benchmark of the kit runs on."""

    database: Database
    nats_url: str


@contextlib.asynccontextmanager
async def stack() -> AsyncIterator[Stack]:
    """Start the servers with fsync on, and one database with the kit's schema."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    postgres, nats = EmbeddedPostgres(folder / "postgres"), EmbeddedNats(folder / "nats")
    try:
        postgres.start()
        nats.start()
        database = Database((await Databases(postgres).clone("kit"))["kit"], "kit")
        await database.open()
        yield Stack(database, nats.url)
        await database.close()
    finally:
        postgres.stop(immediate=True)
        nats.stop(immediate=True)
        shutil.rmtree(folder, ignore_errors=True)
