"""People administration, as the console's page and the REST API use it.

Who may: `accounts.manage` at the site concerned, decided here again from the actor's own roles. Nobody hands out a role
that grants more than they hold themselves, and the last admin stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from kefu.common.v1 import errors_pb2

from services.gateway.accounts import store
from services.gateway.accounts.store import Account
from services.gateway.identity import passwords as rules
from services.gateway.identity.passwords import Passwords
from services.gateway.identity.secrets import digest, new_secret
from services.gateway.identity.sessions import Sessions
from services.gateway.identity.store import end_sessions, set_password_hash
from services.gateway.identity.user import User
from services.gateway.runtime import Runtime
from services.kit.access import EVERY_SITE, Access
from services.kit.audit import Entry
from services.kit.db import Database, Transaction
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied

MANAGE: Final = "accounts.manage"
INVITE_SECONDS: Final = 3 * 86_400.0
RESET_SECONDS: Final = 3_600.0
_USER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,79}")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SITE: Final = re.compile(r"\*|[a-z0-9-]{1,40}")
_PAGE: Final = 500


class Role(StrEnum):
    """The roles that an account can have at a site."""

    AGENT = "agent"
    HOST = "host"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    REVIEWER = "reviewer"
    PLANNER = "planner"
    MANAGER = "manager"
    ENGINEER = "engineer"
    ADMIN = "admin"


class People:
    """Administration of accounts. `actor` is the signed-in person who does it."""

    def __init__(self, runtime: Runtime, access: Access, passwords: Passwords, sessions: Sessions) -> None:
        self._runtime = runtime
        self._access = access
        self._passwords = passwords
        self._sessions = sessions

    def list(self, site: str, *, actor: User, after: str = "", limit: int = _PAGE) -> list[Account]:
        """Accounts with a role at the site, by id; "*" lists all accounts."""
        self._require(actor, site)
        return self._runtime.run(store.list_accounts, self._runtime.database, site, after, min(limit, _PAGE))

    def invite(
        self, *, user_name: str, display_name: str, roles: Mapping[str, Sequence[str]], actor: User, locale: str = ""
    ) -> str:
        """Add an account and return the token of the link that sets its password, valid three days, once.

        Raises InvalidArgument for a bad name or role, AlreadyExists when the name is taken, PermissionDenied for roles
        that the actor may not give.
        """
        name = user_name.strip().casefold()
        if not _USER_NAME.fullmatch(name):
            raise InvalidArgument.field(
                "user_name", "is 1 to 80 letters, digits and . _ @ + -, beginning with a letter or digit"
            )
        if not 1 <= len(display_name.strip()) <= 80:
            raise InvalidArgument.field("display_name", "is 1 to 80 characters")
        if not any(roles.values()):
            raise InvalidArgument.field("roles", "needs a role at one site at least")
        for site, given in roles.items():
            self._check_grant(actor, site, given)
        return self._runtime.run(
            _invite, self._runtime.database, name, display_name.strip(), locale, dict(roles), actor.subject
        )

    def reset(self, account: str, *, actor: User) -> str:
        """The token of a link that sets a new password, valid one hour, once. Open sessions stay until it is used."""
        self._manage(account, actor)
        return self._runtime.run(_reset, self._runtime.database, account, actor.subject)

    def grant(self, account: str, *, site: str, roles: Sequence[str], actor: User) -> None:
        """Set the roles of an account at a site; none takes the site away. In force within seconds."""
        self._check_grant(actor, site, roles)
        before = self._find(account)
        self._check_grant(actor, site, sorted(before.roles.get(site, ())))
        self._runtime.run(_grant, self._runtime.database, account, site, list(roles), actor.subject)
        self._sessions.forget_account(account)

    def disable(self, account: str, *, actor: User) -> None:
        """End an account and all its sessions; its history stays."""
        self._manage(account, actor)
        if account == actor.subject:
            raise FailedPrecondition(
                errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": "another admin disables your own account"}
            )
        self._runtime.run(_disable, self._runtime.database, account, actor.subject)
        self._sessions.forget_account(account)

    def invited(self, token: str) -> Account:
        """Whose link this is; NotFound when it is used up, expired or unknown."""
        account = self._runtime.run(store.find_link, self._runtime.database, digest(token))
        if account is None:
            raise NotFound(metadata={"name": "link"})
        return self._find(account)

    def set_password(self, token: str, password: str) -> Account:
        """Use up a link: set the password and end all sessions; InvalidArgument when the password is too weak."""
        account = self.invited(token)
        rules.check_new(password, user_name=account.user_name, display_name=account.display_name)
        hashed = self._passwords.hash(password)
        self._runtime.run(_set_password, self._runtime.database, digest(token), hashed)
        self._sessions.forget_account(account.id)
        return account

    def _find(self, account: str) -> Account:
        found = self._runtime.run(store.get_account, self._runtime.database, account)
        if found is None:
            raise NotFound(metadata={"name": f"accounts/{account}"})
        return found

    def _may(self, actor: User, permission: str, site: str) -> bool:
        return self._access.grants(actor.roles_at(site), permission)

    def _require(self, actor: User, site: str) -> None:
        if not self._may(actor, MANAGE, site):
            raise PermissionDenied(metadata={"permission": MANAGE})

    def _check_grant(self, actor: User, site: str, roles: Sequence[str]) -> None:
        if not _SITE.fullmatch(site):
            raise InvalidArgument.field("roles", "names a site of letters, digits and dashes")
        unknown = sorted(set(roles) - {role.value for role in Role})
        if unknown:
            raise InvalidArgument.field("roles", f"{', '.join(unknown)[:80]}: choose of {', '.join(Role)}")
        self._require(actor, site)
        missing = [
            permission
            for permission in sorted(self._access.permissions(roles))
            if not self._may(actor, permission, site)
        ]
        if missing:
            raise PermissionDenied(metadata={"permission": missing[0]})

    def _manage(self, account: str, actor: User) -> None:
        """Password and state of an account are changed only by who may manage every site where it has a role."""
        for site, roles in self._find(account).roles.items():
            self._check_grant(actor, site, sorted(roles))


def account_id(user_name: str) -> str:
    """The id of a new account: its user name where that is an id, else the closest text that is one."""
    if _ID.fullmatch(user_name):
        return user_name
    return re.sub(r"[^a-z0-9]+", "-", user_name).strip("-")[:40].rstrip("-")


async def _invite(
    database: Database, name: str, display_name: str, locale: str, roles: Mapping[str, Sequence[str]], actor: str
) -> str:
    token = new_secret()
    identity = account_id(name)
    async with database.transaction() as tx:
        await store.insert_account(tx, id=identity, user_name=name, display_name=display_name, locale=locale)
        for site, given in roles.items():
            await store.set_roles(tx, identity, site, given)
            tx.audit(Entry(site, actor, "account_invited", f"accounts/{identity}", ",".join(sorted(given))))
        await store.insert_link(tx, identity, "INVITE", digest(token), INVITE_SECONDS, actor)
    return token


async def _reset(database: Database, account: str, actor: str) -> str:
    token = new_secret()
    async with database.transaction() as tx:
        await store.insert_link(tx, account, "RESET", digest(token), RESET_SECONDS, actor)
        tx.audit(Entry(EVERY_SITE, actor, "account_reset", f"accounts/{account}"))
    return token


async def _grant(database: Database, account: str, site: str, roles: Sequence[str], actor: str) -> None:
    async with database.transaction() as tx:
        admins = await store.lock_admins(tx)
        await store.set_roles(tx, account, site, roles)
        await _keep_an_admin(tx, admins)
        tx.audit(Entry(site, actor, "roles_set", f"accounts/{account}", ",".join(sorted(roles))))


async def _disable(database: Database, account: str, actor: str) -> None:
    async with database.transaction() as tx:
        admins = await store.lock_admins(tx)
        await store.set_active(tx, account, active=False)
        await _keep_an_admin(tx, admins)
        await end_sessions(tx, account)
        tx.audit(Entry(EVERY_SITE, actor, "account_disabled", f"accounts/{account}"))


async def _keep_an_admin(tx: Transaction, before: Sequence[str]) -> None:
    if before and not await store.lock_admins(tx):
        raise FailedPrecondition(
            errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": "one active admin of every site remains"}
        )


async def _set_password(database: Database, token_hash: bytes, hashed: str) -> None:
    async with database.transaction() as tx:
        account = await store.use_link(tx, token_hash)
        if account is None:
            raise NotFound(metadata={"name": "link"})
        await set_password_hash(tx, account, hashed)
        await end_sessions(tx, account)
        tx.audit(Entry(EVERY_SITE, account, "password_set", f"accounts/{account}"))
