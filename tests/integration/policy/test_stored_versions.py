"""Judged versions are kept beside the decisions, in a real database."""

from pathlib import Path

import asyncpg
import pytest

from services.kit.db import Database
from services.policy import loader, store

SERVICES = ("policy",)
PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"


async def test_a_version_is_stored_once_and_read_back_as_it_judged(database: Database) -> None:
    version = loader.load(PROFILES / "taobao-shop.yaml")
    async with database.transaction() as tx:
        await store.remember(tx, version)
        await store.remember(tx, version)
    [row] = await database.fetch("SELECT site, effective_from, first_used_at FROM profile_versions")
    assert row["site"] == "taobao-shop"
    assert row["effective_from"] == version.profile.effective_from
    async with database.transaction() as tx:
        found = await store.recall(tx, version.profile.version)
        assert await store.recall(tx, "0" * 64) is None
    assert found is not None
    assert found.body == version.body
    assert found.profile.queues["MEMBERS"].first_response_s == 60


async def test_a_body_that_is_not_its_hash_is_refused_by_the_database(database: Database) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with database.transaction() as tx:
            await tx.connection.execute("INSERT INTO profile_versions VALUES ($1, 'x', now(), '{}', now())", "0" * 64)


async def test_the_migration_may_run_again(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(store.migration())
