"""SQL of service accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.gateway.identity.store import by_site
from services.kit.db import Database, Transaction
from services.kit.errors import AlreadyExists

_SELECT: Final = """
SELECT s.id, s.display_name, s.secret_hash, s.old_secret_hash, s.old_secret_until > now() AS old_valid, s.origins,
       s.active, coalesce((SELECT array_agg(r.site || ' ' || r.role ORDER BY r.site, r.role)
                           FROM service_account_roles r WHERE r.service_account = s.id), '{}') AS roles
FROM service_accounts s
"""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A program's account. `secrets` are the hashes that are valid now: the newest, and for a while the one before."""

    id: str
    display_name: str
    roles: Mapping[str, frozenset[str]]
    origins: Sequence[str]
    active: bool
    secrets: Sequence[bytes]

    def has_role(self, role: str, site: str) -> bool:
        """Whether it has a role at a site, or everywhere."""
        return role in self.roles.get(site, frozenset()) | self.roles.get("*", frozenset())


def _account(row: asyncpg.Record) -> ServiceAccount:
    secrets = [row["secret_hash"], *([row["old_secret_hash"]] if row["old_valid"] else [])]
    return ServiceAccount(
        row["id"], row["display_name"], by_site(row["roles"]), list(row["origins"]), row["active"], secrets
    )


async def get(source: Transaction | Database, account: str) -> ServiceAccount | None:
    """One account by id."""
    row = await source.fetchrow(f"{_SELECT} WHERE s.id = $1", account)
    return None if row is None else _account(row)


async def list_page(database: Database, after: str, limit: int) -> list[ServiceAccount]:
    """A page of accounts by id."""
    rows = await database.fetch(f"{_SELECT} WHERE s.id > $1 ORDER BY s.id LIMIT $2", after, limit)
    return [_account(row) for row in rows]


async def insert(
    tx: Transaction,
    account: str,
    *,
    display_name: str,
    secret_hash: bytes,
    roles: Mapping[str, Sequence[str]],
    origins: Sequence[str],
) -> None:
    """Add an account with its roles; AlreadyExists when the id is taken."""
    added = await tx.fetchval(
        "INSERT INTO service_accounts (id, display_name, secret_hash, origins) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING id",
        account,
        display_name,
        secret_hash,
        list(origins),
    )
    if added is None:
        raise AlreadyExists(metadata={"name": f"serviceAccounts/{account}"})
    pairs = [(site, role) for site, given in roles.items() for role in sorted(set(given))]
    await tx.executemany(
        "INSERT INTO service_account_roles (service_account, site, role) VALUES ($1, $2, $3)",
        [(account, site, role) for site, role in pairs],
    )


async def rotate(tx: Transaction, account: str, secret_hash: bytes, keep_old_seconds: float) -> bool:
    """Set a new secret; the one before stays valid for a while. False for an unknown account."""
    done = await tx.execute(
        "UPDATE service_accounts SET old_secret_hash = secret_hash, secret_hash = $2,"
        " old_secret_until = now() + make_interval(secs => $3) WHERE id = $1",
        account,
        secret_hash,
        keep_old_seconds,
    )
    return done.endswith("1")


async def set_active(tx: Transaction, account: str, *, active: bool) -> bool:
    """Enable or disable; False for an unknown account."""
    done = await tx.execute("UPDATE service_accounts SET active = $2 WHERE id = $1", account, active)
    return done.endswith("1")


async def all_origins(database: Database) -> Mapping[str, frozenset[str]]:
    """Origin → the active accounts that may be used from it."""
    rows = await database.fetch("SELECT id, unnest(origins) AS origin FROM service_accounts WHERE active")
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["origin"], set()).add(row["id"])
    return {origin: frozenset(accounts) for origin, accounts in found.items()}
