"""SQL of accounts and their links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.gateway.identity.store import by_site
from services.kit.db import Database, Transaction
from services.kit.errors import AlreadyExists

_LIST: Final = """
SELECT a.id, a.user_name, a.display_name, a.locale, a.active, a.password_hash IS NULL AND a.oidc_subject IS NULL AS new,
       a.locked_until > now() AS locked, a.signed_in_at,
       coalesce((SELECT array_agg(r.site || ' ' || r.role ORDER BY r.site, r.role)
                 FROM account_roles r WHERE r.account = a.id), '{}') AS roles
FROM accounts a
"""
_LINK: Final = """
SELECT l.account FROM one_time_links l JOIN accounts a ON a.id = l.account
WHERE l.token_hash = $1 AND l.used_at IS NULL AND l.expires_at > now() AND a.active
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `state`: INVITED (no password yet), ACTIVE, LOCKED or DISABLED."""

    id: str
    user_name: str
    display_name: str
    locale: str
    state: str
    roles: Mapping[str, frozenset[str]]
    last_sign_in: datetime | None


def _account(row: asyncpg.Record) -> Account:
    state = "DISABLED" if not row["active"] else "LOCKED" if row["locked"] else "INVITED" if row["new"] else "ACTIVE"
    return Account(
        id=row["id"],
        user_name=row["user_name"],
        display_name=row["display_name"],
        locale=row["locale"],
        state=state,
        roles=by_site(row["roles"]),
        last_sign_in=row["signed_in_at"],
    )


async def list_accounts(database: Database, site: str, after: str, limit: int) -> list[Account]:
    """Accounts with a role at the site (or everywhere), by id, from the one after `after` on; site "*" lists all."""
    where = """
    WHERE a.id > $2 AND ($1 = '*' OR EXISTS (
        SELECT 1 FROM account_roles r WHERE r.account = a.id AND r.site IN ($1, '*')))
    ORDER BY a.id LIMIT $3
    """
    return [_account(row) for row in await database.fetch(_LIST + where, site, after, limit)]


async def get_account(tx: Transaction | Database, account: str) -> Account | None:
    """One account by id."""
    row = await tx.fetchrow(f"{_LIST} WHERE a.id = $1", account)
    return None if row is None else _account(row)


async def insert_account(tx: Transaction, *, id: str, user_name: str, display_name: str, locale: str) -> None:  # noqa: A002
    """Add an account; AlreadyExists when id or user name is taken."""
    added = await tx.fetchval(
        "INSERT INTO accounts (id, user_name, display_name, locale) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING id",
        id,
        user_name,
        display_name,
        locale,
    )
    if added is None:
        raise AlreadyExists(metadata={"name": f"accounts/{id}"})


async def set_roles(tx: Transaction, account: str, site: str, roles: Iterable[str]) -> None:
    """Replace the account's roles at a site."""
    await tx.execute("DELETE FROM account_roles WHERE account = $1 AND site = $2", account, site)
    await tx.execute(
        "INSERT INTO account_roles (account, site, role) SELECT $1, $2, unnest($3::text[])",
        account,
        site,
        sorted(set(roles)),
    )


async def set_active(tx: Transaction, account: str, *, active: bool) -> None:
    """Enable or disable."""
    await tx.execute("UPDATE accounts SET active = $2 WHERE id = $1", account, active)


async def lock_admins(tx: Transaction) -> Sequence[str]:
    """The active accounts that are admin everywhere, locked so that two admins cannot remove each other at once."""
    rows = await tx.fetch(
        "SELECT a.id FROM accounts a WHERE a.active AND EXISTS (SELECT 1 FROM account_roles r"
        " WHERE r.account = a.id AND r.site = '*' AND r.role = 'admin') ORDER BY a.id FOR UPDATE"
    )
    return [row["id"] for row in rows]


async def insert_link(
    tx: Transaction, account: str, kind: str, token_hash: bytes, seconds: float, created_by: str
) -> None:
    """Add a one-time link; older open ones of the account stop working."""
    await tx.execute("DELETE FROM one_time_links WHERE account = $1 AND used_at IS NULL", account)
    await tx.execute(
        "INSERT INTO one_time_links (token_hash, account, kind, expires_at, created_by)"
        " VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)",
        token_hash,
        account,
        kind,
        seconds,
        created_by,
    )


async def find_link(database: Database, token_hash: bytes) -> str | None:
    """The account of an open link."""
    account = await database.fetchval(_LINK, token_hash)
    return None if account is None else str(account)


async def use_link(tx: Transaction, token_hash: bytes) -> str | None:
    """Use up an open link; its account, or None when it is used, expired, unknown, or the account is disabled."""
    account = await tx.fetchval(
        f"UPDATE one_time_links SET used_at = now() WHERE token_hash = $1 AND account = ({_LINK})"  # noqa: S608 - our own
        " RETURNING account",
        token_hash,
    )
    return None if account is None else str(account)
