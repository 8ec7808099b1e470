"""Commands that work on a service's database: the local stack's, or the one that is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from services.stack.home import SERVICES, Home, StackError

if TYPE_CHECKING:
    from services.kit.db import Database

R = TypeVar("R")
SERVICE = click.argument("service", type=click.Choice(SERVICES))
DATABASE = click.option(
    "--database", envvar="KEFU_DATABASE_URL", help="PostgreSQL URL of the service; by default the local stack's."
)


def with_database(service: str, url: str | None, work: Callable[[Database], Awaitable[R]]) -> R:
    """Run `work` on a service's database. Raises StackError with what to do next."""
    from services.kit.db import Database
    from services.kit.embedded import EmbeddedPostgres, role_of
    from services.kit.errors import KefuError
    from services.stack.infra import DATABASE as NAME

    home = Home.find()
    if url is None:
        if not home.postgres.exists():
            raise StackError(f"no stack in {home.folder}: start it with `kefu up`, or give --database")
        url = EmbeddedPostgres(home.postgres).dsn(NAME, user=role_of(service))
    dsn = url

    async def run() -> R:
        opened = Database(dsn, service, size=2)
        await opened.open(hints=False)
        try:
            return await work(opened)
        finally:
            await opened.close()

    try:
        return asyncio.run(run())
    except KefuError as error:
        raise StackError(str(error)) from error
