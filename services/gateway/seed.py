"""First accounts of a stack: used by the local stack and by whoever installs Kefu, before anybody can sign in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from services.gateway.accounts import store as accounts
from services.gateway.accounts.people import account_id
from services.gateway.identity.passwords import Passwords
from services.gateway.identity.secrets import digest
from services.gateway.identity.store import set_password_hash
from services.gateway.oauth import store as programs
from services.kit.audit import Entry
from services.kit.db import Database
from services.kit.errors import AlreadyExists

ACTOR = "installer"


async def ensure_account(
    database: Database,
    *,
    user_name: str,
    display_name: str,
    roles: Mapping[str, Sequence[str]],
    password: str,
    locale: str = "",
) -> bool:
    """Add a local account with a password unless it is there; True when it was added. `roles` by site, "*" = all."""
    identity = account_id(user_name)
    if await accounts.get_account(database, identity) is not None:
        return False
    hashed = await asyncio.to_thread(Passwords().hash, password)
    async with database.transaction() as tx:
        await accounts.insert_account(tx, id=identity, user_name=user_name, display_name=display_name, locale=locale)
        for site, given in roles.items():
            await accounts.set_roles(tx, identity, site, given)
            tx.audit(Entry(site, ACTOR, "account_seeded", f"accounts/{identity}", ",".join(sorted(given))))
        await set_password_hash(tx, identity, hashed)
    return True


async def ensure_service_account(
    database: Database,
    account: str,
    *,
    secret: str,
    display_name: str,
    roles: Mapping[str, Sequence[str]],
    origins: Sequence[str] = (),
) -> bool:
    """Add a service account with a given secret unless it is there; True when it was added."""
    try:
        async with database.transaction() as tx:
            await programs.insert(
                tx,
                account,
                display_name=display_name,
                secret_hash=digest(secret),
                roles=roles,
                origins=origins,
            )
            for site, given in roles.items():
                tx.audit(Entry(site, ACTOR, "service_account_seeded", f"serviceAccounts/{account}", ",".join(given)))
    except AlreadyExists:
        return False
    return True
