"""`kefu account`: somebody can sign in to a new installation, and nobody's account is taken over."""

from __future__ import annotations

import asyncio

from click.testing import CliRunner, Result

from services.cli import cli
from services.gateway.identity import store
from services.gateway.identity.passwords import Passwords
from services.kit.db import Database

SERVICES = ("gateway",)


async def kefu(url: str, *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cli, ["account", *arguments], env={"KEFU_DATABASE_URL": url})


async def test_the_first_account_has_its_role_and_its_password(
    database: Database, database_urls: dict[str, str]
) -> None:
    url = database_urls["gateway"]
    added = await kefu(url, "admin")
    assert added.exit_code == 0, added.output
    name, password = added.output.strip().split(": ")
    known = await store.find_by_name(database, name)
    assert known is not None
    assert Passwords().verify(known.password_hash, password)
    assert known.user.roles_at("online-desk") == {"admin"}

    again = await kefu(url, "admin", "--role", "agent", "--site", "online-desk")
    assert again.exit_code == 1
    assert "exists already" in again.output
    kept = await store.find_by_name(database, name)
    assert kept is not None
    assert kept.password_hash == known.password_hash


async def test_a_role_that_is_none_is_refused(database_urls: dict[str, str]) -> None:
    refused = await kefu(database_urls["gateway"], "somebody", "--role", "king")
    assert refused.exit_code == 2
    assert "king is no role; there are admin" in refused.output
