"""Row-level security as the second wall: what a query forgot the database refuses; no role reads others' tables."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from services.kit.db import Database

SERVICES = ("intake", "staffing", "crm", "qa", "gateway")
# Tables of the kit that belong to no site's staff: queues of work, read by the worker alone, and idempotency by caller.
OURS = ("kefu_", "profile_versions")
# Behind a policy its index could not be used; see docs/decisions/0201-row-level-security-as-second-wall.md.
OUTSIDE = {"intake": {"search_entries"}, "staffing": set[str](), "crm": set[str](), "qa": set[str]()}
_WITH_SITE = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS walled,
       EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS policy
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'site' AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = $1::regnamespace
"""
_INSERT = "INSERT INTO site_states (site) VALUES ($1)"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def intake(database_urls: dict[str, str]) -> AsyncIterator[Database]:
    """Intake's database with a row of each of two sites."""
    opened = Database(database_urls["intake"], "intake")
    await opened.open()
    for site in ("desk", "shop"):
        await opened.execute(_INSERT, site)
    yield opened
    await opened.close()


@pytest.mark.parametrize("service", ["intake", "staffing", "crm", "qa"])
async def test_every_table_with_a_site_is_walled(database_urls: dict[str, str], service: str) -> None:
    connection = await asyncpg.connect(database_urls[service], server_settings={"search_path": service})
    try:
        rows = await connection.fetch(_WITH_SITE, service)
    finally:
        await connection.close()
    ours = [row for row in rows if not row["relname"].startswith(OURS)]
    assert ours
    assert {row["relname"] for row in ours if not (row["walled"] and row["policy"])} == OUTSIDE[service]


async def test_a_query_that_forgot_the_site_sees_only_the_callers(intake: Database) -> None:
    async with intake.transaction(sites=["desk"]) as tx:
        assert [row["site"] for row in await tx.fetch("SELECT site FROM site_states")] == ["desk"]
        assert await tx.execute("UPDATE site_states SET surge = true") == "UPDATE 1"
        assert await tx.execute("DELETE FROM site_states WHERE site = 'shop'") == "DELETE 0"
    assert await intake.fetchval("SELECT count(*) FROM site_states") == 2


async def test_a_row_of_another_site_cannot_be_written(intake: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with intake.transaction(sites=["desk"]) as tx:
            await tx.execute(_INSERT, "mall")


async def test_without_a_scope_nothing_is_seen(database_urls: dict[str, str]) -> None:
    connection = await asyncpg.connect(database_urls["intake"], server_settings={"search_path": "intake"})
    try:
        assert await connection.fetch("SELECT site FROM site_states") == []
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("role", "table"), [("staffing", "intake.messages"), ("intake", "staffing.people"), ("gateway", "crm.customers")]
)
async def test_no_service_reads_anothers_tables(database_urls: dict[str, str], role: str, table: str) -> None:
    connection = await asyncpg.connect(database_urls[role])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT * FROM {table}")
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_services_role_cannot_leave_the_wall(database_urls: dict[str, str], service: str) -> None:
    connection = await asyncpg.connect(database_urls[service])
    try:
        row = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
    finally:
        await connection.close()
    assert row is not None
    assert tuple(row) == (False, False, False)
