"""Database, schemas and roles: one schema and one role per service, and no role reads another's tables."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from services.kit.embedded.postgres import EmbeddedPostgres


def role_of(service: str) -> str:
    """Return the role name of a service; its schema carries the service's own name."""
    return f"kefu_{service}"


async def provision(postgres: EmbeddedPostgres, database: str, services: Sequence[str]) -> dict[str, str]:
    """Create what is missing and return each service's connection URL; harmless to repeat."""
    admin = await asyncpg.connect(postgres.dsn())
    try:
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await admin.execute(f'CREATE DATABASE "{database}"')
        for service in services:
            await _ensure_role(admin, role_of(service), postgres.password(role_of(service)))
    finally:
        await admin.close()
    inside = await asyncpg.connect(postgres.dsn(database))
    try:
        await inside.execute(
            f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC'
        )
        for service in services:
            await inside.execute(
                f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO "{role_of(service)}";'
                f'CREATE SCHEMA IF NOT EXISTS "{service}" AUTHORIZATION "{role_of(service)}";'
                f'REVOKE ALL ON SCHEMA "{service}" FROM PUBLIC;'
                f'ALTER ROLE "{role_of(service)}" IN DATABASE "{database}" SET search_path = "{service}"'
            )
    finally:
        await inside.close()
    return {service: postgres.dsn(database, user=role_of(service)) for service in services}


async def _ensure_role(admin: asyncpg.Connection[asyncpg.Record], role: str, password: str) -> None:
    known = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if known else "CREATE"
    # passwords are url-safe base64 of our own making: nothing to quote
    await admin.execute(f"{verb} ROLE \"{role}\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'")
