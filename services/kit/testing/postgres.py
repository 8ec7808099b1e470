"""Databases for tests: one embedded server per session, a fresh clone of a migrated template per test module."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg

from services.kit.embedded import EmbeddedPostgres, provision
from services.kit.migrate import migrate, migrations_of

# of this process, so that two instances on one server never meet
_numbers = itertools.count(1)


class Databases:
    """Clones of migrated templates; cloning takes some 30 ms, migrating a template happens once."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._templates: dict[tuple[tuple[str, ...], datetime | None], str] = {}

    async def clone(self, *services: str, virtual: datetime | None = None) -> dict[str, str]:
        """Return each service's connection URL into a fresh database with their schemas; `virtual` starts its clock."""
        template = await self._template(tuple(sorted(services)), virtual)
        name = f"test_{next(_numbers)}"
        admin = await asyncpg.connect(self.server.dsn())
        try:
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        finally:
            await admin.close()
        return await provision(self.server, name, services)

    async def _template(self, services: tuple[str, ...], virtual: datetime | None) -> str:
        if (services, virtual) not in self._templates:
            name = f"template_{next(_numbers)}"
            for service, url in (await provision(self.server, name, services)).items():
                await _migrate(service, url, virtual)
            self._templates[services, virtual] = name
        return self._templates[services, virtual]


async def _migrate(service: str, url: str, virtual: datetime | None) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": service})
    try:
        await migrate(connection, migrations_of(service, migrations_folder(service)), virtual=virtual)
    finally:
        await connection.close()


def migrations_folder(service: str) -> Path | None:
    """Return `services/<service>/migrations`, or None for a name without one (tests of the kit alone)."""
    spec = importlib.util.find_spec("services")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / service / "migrations"
    return folder if service != "kit" and folder.is_dir() else None


def service_of(module: object) -> Sequence[str]:
    """Return the services whose schemas a test module wants: its `SERVICES`, by default the kit's tables alone."""
    return tuple(getattr(module, "SERVICES", ("kit",)))
