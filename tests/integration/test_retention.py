"""docs/operations/retention.md names every table of each service that it lists, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg

from services.kit.testing.postgres import Databases
from services.stack.home import SERVICES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "retention.md"
NAME = re.compile(r"`([a-z_]+)`")


def told() -> set[str]:
    """The tables in the first column of the page's lists."""
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {name for row in rows for name in NAME.findall(row)}


def listed() -> list[str]:
    """The services with a list of their own."""
    headings = re.findall(r"^## (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [service for service in SERVICES if service.capitalize() in headings]


async def test_every_table_has_a_term(databases: Databases) -> None:
    services = listed()
    assert {"intake", "staffing", "crm", "gateway"} <= set(services)
    urls = await databases.clone(*services)
    connection = await asyncpg.connect(next(iter(urls.values())))
    try:
        rows = await connection.fetch(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text = ANY ($1)",
            services,
        )
    finally:
        await connection.close()
    assert {row[0] for row in rows} == told()
