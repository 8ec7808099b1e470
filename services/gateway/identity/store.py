"""SQL of sessions and sign-in. Real time (`now()`) even in a stack in virtual time: sessions guard the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from services.gateway.identity.user import User
from services.kit.db import Database, Transaction

# An account locks after so many wrong passwords, for a time that doubles from the first one to the last.
FREE_FAILURES: Final = 5
FIRST_LOCK_SECONDS: Final = 20
LONGEST_LOCK_SECONDS: Final = 900

_ACCOUNT: Final = """
SELECT a.id, a.user_name, a.display_name, a.locale, a.password_hash, a.active, a.locked_until > now() AS locked,
       coalesce((SELECT array_agg(r.site || ' ' || r.role ORDER BY r.site, r.role)
                 FROM account_roles r WHERE r.account = a.id), '{}') AS roles
FROM accounts a
"""
_SESSION: Final = f"""
SELECT x.*, s.seen_at < now() - interval '1 minute' AS stale
FROM ({_ACCOUNT}) x JOIN sessions s ON s.account = x.id
WHERE s.id_hash = $1 AND x.active AND s.expires_at > now() AND s.seen_at > now() - make_interval(secs => $2)
"""  # noqa: S608 - our own constant
_FAIL: Final = """
UPDATE accounts SET failures = failures + 1,
    locked_until = CASE WHEN failures + 1 >= $2
        THEN now() + make_interval(secs => least($4, $3 * power(2, least(failures + 1 - $2, 10)))) ELSE locked_until END
WHERE user_name = $1 AND (locked_until IS NULL OR locked_until <= now())
"""


@dataclass(frozen=True, slots=True)
class Known:
    """An account as sign-in sees it."""

    user: User
    password_hash: str | None
    active: bool
    locked: bool


def to_user(row: asyncpg.Record) -> User:
    """The user of an account's row with its `roles` as "site role" texts."""
    return User(
        subject=row["id"],
        user_name=row["user_name"],
        display_name=row["display_name"],
        roles=by_site(row["roles"]),
        locale=row["locale"],
    )


def by_site(pairs: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """["desk agent", "desk host"] → {"desk": {"agent", "host"}}."""
    found: dict[str, set[str]] = {}
    for pair in pairs:
        site, role = pair.split(" ", 1)
        found.setdefault(site, set()).add(role)
    return {site: frozenset(roles) for site, roles in found.items()}


async def find_by_name(database: Database, user_name: str) -> Known | None:
    """The account with a user name."""
    return _known(await database.fetchrow(f"{_ACCOUNT} WHERE a.user_name = $1", user_name))


async def find_by_oidc(database: Database, issuer: str, subject: str, email: str) -> Known | None:
    """The account linked to a subject of the identity provider, else the unlinked one with its verified address."""
    query = f"{_ACCOUNT} WHERE a.oidc_issuer = $1 AND a.oidc_subject = $2"
    found = _known(await database.fetchrow(query, issuer, subject))
    if found is not None or not email:
        return found
    query = f"{_ACCOUNT} WHERE a.user_name = $1 AND a.oidc_subject IS NULL"
    return _known(await database.fetchrow(query, email))


def _known(row: asyncpg.Record | None) -> Known | None:
    if row is None:
        return None
    return Known(to_user(row), row["password_hash"], row["active"], bool(row["locked"]))


async def count_failure(database: Database, user_name: str) -> None:
    """Count a wrong password; locks the account from FREE_FAILURES on, longer each time."""
    await database.execute(_FAIL, user_name, FREE_FAILURES, float(FIRST_LOCK_SECONDS), float(LONGEST_LOCK_SECONDS))


async def open_session(tx: Transaction, account: str, id_hash: bytes, seconds: float) -> None:
    """Store a new session and forget the account's failures."""
    await tx.execute(
        "INSERT INTO sessions (id_hash, account, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))",
        id_hash,
        account,
        seconds,
    )
    await tx.execute(
        "UPDATE accounts SET failures = 0, locked_until = NULL, signed_in_at = now() WHERE id = $1", account
    )


async def find_session(database: Database, id_hash: bytes, idle_seconds: float) -> User | None:
    """The user of an open session, and note that it is in use (once a minute)."""
    row = await database.fetchrow(_SESSION, id_hash, idle_seconds)
    if row is None:
        return None
    if row["stale"]:
        await database.execute("UPDATE sessions SET seen_at = now() WHERE id_hash = $1", id_hash)
    return to_user(row)


async def end_session(tx: Transaction, id_hash: bytes) -> str | None:
    """End one session; its account."""
    account: Any = await tx.fetchval("DELETE FROM sessions WHERE id_hash = $1 RETURNING account", id_hash)
    return None if account is None else str(account)


async def end_sessions(tx: Transaction, account: str) -> int:
    """End every session of an account; how many there were."""
    return int((await tx.execute("DELETE FROM sessions WHERE account = $1", account)).split()[-1])


async def expire_sessions(database: Database, idle_seconds: float) -> int:
    """Delete sessions that are over; how many."""
    done = await database.execute(
        "DELETE FROM sessions WHERE expires_at <= now() OR seen_at <= now() - make_interval(secs => $1)", idle_seconds
    )
    return int(done.split()[-1])


async def set_password_hash(tx: Transaction, account: str, password_hash: str) -> None:
    """Store a new hash and lift any lock."""
    await tx.execute(
        "UPDATE accounts SET password_hash = $2, failures = 0, locked_until = NULL WHERE id = $1",
        account,
        password_hash,
    )


async def link_oidc(tx: Transaction, account: str, issuer: str, subject: str) -> None:
    """Tie an account to a subject of the identity provider."""
    await tx.execute(
        "UPDATE accounts SET oidc_issuer = $2, oidc_subject = $3 WHERE id = $1 AND oidc_subject IS NULL",
        account,
        issuer,
        subject,
    )


async def database_now(database: Database) -> datetime:
    """The services' time: virtual in a stack in virtual time."""
    now: datetime = await database.fetchval("SELECT kefu_now()")
    return now
