"""What services stand on: PostgreSQL, NATS, roles, keys, schemas. Harmless to repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from services.kit.embedded import EmbeddedNats, EmbeddedPostgres, provision
from services.kit.migrate import migrate, migrations_of, pending
from services.stack.home import SERVICES, Home, StackError

DATABASE = "kefu"
_SERVICES_FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Infra:
    """The servers of a stack and how services reach them."""

    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    urls: Mapping[str, str]


def start_servers(home: Home, *, durable: bool = True) -> tuple[EmbeddedPostgres, EmbeddedNats]:
    """Start both servers at the same time; nothing happens where they run."""
    postgres, nats = EmbeddedPostgres(home.postgres, durable=durable), EmbeddedNats(home.nats)
    with ThreadPoolExecutor(2) as pool:
        for started in [pool.submit(postgres.start), pool.submit(nats.start)]:
            started.result()
    return postgres, nats


def stop_servers(home: Home, *, immediate: bool = False) -> None:
    """Stop both; nothing happens where they do not run."""
    EmbeddedNats(home.nats).stop(immediate=immediate)
    EmbeddedPostgres(home.postgres).stop(immediate=immediate)


def prepare(
    home: Home,
    postgres: EmbeddedPostgres,
    nats: EmbeddedNats,
    *,
    services: Sequence[str] = SERVICES,
    virtual: datetime | None = None,
) -> Infra:
    """Make database, roles, schemas and keys; `virtual` puts the schemas' clocks into virtual time."""
    _make_keys(home)
    urls = asyncio.run(_prepare(postgres, services, virtual))
    return Infra(postgres, nats, urls)


async def _prepare(postgres: EmbeddedPostgres, services: Sequence[str], virtual: datetime | None) -> dict[str, str]:
    urls = await provision(postgres, DATABASE, services)
    await asyncio.gather(*(migrate_service(service, urls[service], virtual=virtual) for service in services))
    return urls


async def migrate_service(service: str, url: str, *, virtual: datetime | None = None) -> int:
    """Bring one service's schema up to date; returns how many files ran."""
    connection = await asyncpg.connect(url, server_settings={"search_path": service})
    try:
        return await migrate(connection, migrations_of(service, migrations_folder(service)), virtual=virtual)
    finally:
        await connection.close()


async def wait_for_schema(service: str, url: str, seconds: float) -> None:
    """Return once a service's schema is up to date; raises StackError with what is missing after `seconds`."""
    until = asyncio.get_running_loop().time() + seconds
    while missing := await _missing(service, url):
        if asyncio.get_running_loop().time() >= until:
            raise StackError(f"{service}: after {seconds:g} s still {missing}; run `kefu migrate {service}`")
        await asyncio.sleep(min(1.0, seconds))


async def _missing(service: str, url: str) -> str:
    """What a schema lacks, in words; empty when it is up to date."""
    try:
        connection = await asyncpg.connect(url, server_settings={"search_path": service})
    except (OSError, asyncpg.PostgresError) as fault:
        return f"no database ({fault})"
    try:
        names = await pending(connection, migrations_of(service, migrations_folder(service)))
    finally:
        await connection.close()
    return f"without {', '.join(names)}" if names else ""


def migrations_folder(service: str) -> Path:
    """Where a service keeps its migrations."""
    return _SERVICES_FOLDER / service / "migrations"


def _make_keys(home: Home) -> None:
    from services.kit.crypto import Keys
    from services.kit.keys import new_key_pair

    home.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not list(home.keys.glob("*.key")):
        new_key_pair(home.keys, "local-1")
    if not home.sealing_keys.exists():
        Keys.create(home.sealing_keys, "local-1")
