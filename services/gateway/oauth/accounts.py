"""Service accounts: made and rotated by admins, used by programs with client credentials."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from kefu.common.v1 import errors_pb2

from services.gateway.identity.secrets import digest, new_secret
from services.gateway.identity.user import User
from services.gateway.oauth import store
from services.gateway.oauth.store import ServiceAccount
from services.gateway.runtime import Runtime
from services.kit.access import EVERY_SITE, Access
from services.kit.audit import Entry
from services.kit.db import Database
from services.kit.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated

MANAGE: Final = "service_accounts.manage"
# May ask for channel tokens on behalf of its customers.
FRONTEND: Final = "frontend"
ROLES: Final = frozenset({FRONTEND, "telephony", "simulator", "reader"})
OLD_SECRET_SECONDS: Final = 86_400.0
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class ServiceAccounts:
    """Administration and authentication of service accounts."""

    def __init__(self, runtime: Runtime, access: Access) -> None:
        self._runtime = runtime
        self._access = access

    def create(
        self,
        account: str,
        *,
        display_name: str,
        roles: Mapping[str, Sequence[str]],
        origins: Sequence[str] = (),
        actor: User,
    ) -> str:
        """Add an account and return its secret, which is shown this once and never again."""
        self._require(actor)
        if not _ID.fullmatch(account):
            raise InvalidArgument.field("service_account_id", "is 1 to 40 lower-case letters, digits and dashes")
        unknown = {role for given in roles.values() for role in given} - ROLES - set(self._access.roles)
        if unknown or not any(roles.values()):
            raise InvalidArgument.field("roles", f"needs at least one of {', '.join(sorted(ROLES))}")
        for origin in origins:
            check_origin(origin)
        secret = new_secret()
        self._runtime.run(
            _create, self._runtime.database, account, display_name, digest(secret), roles, origins, actor.subject
        )
        return secret

    def rotate(self, account: str, *, actor: User) -> str:
        """A new secret; the old one stays valid for a day, so that its program can be changed in peace."""
        self._require(actor)
        secret = new_secret()
        self._runtime.run(_rotate, self._runtime.database, account, digest(secret), actor.subject)
        return secret

    def disable(self, account: str, *, actor: User) -> None:
        """Refuse it from now on; tokens that it holds end within five minutes."""
        self._require(actor)
        self._runtime.run(_disable, self._runtime.database, account, actor.subject)

    def list(self, *, actor: User) -> list[ServiceAccount]:
        """All service accounts."""
        self._require(actor)
        return self._runtime.run(store.list_all, self._runtime.database)

    def authenticate(self, account: str, secret: str) -> ServiceAccount:
        """The account of valid credentials; raises Unauthenticated SIGN_IN_FAILED otherwise, always with the same words."""
        found = self._runtime.run(store.get, self._runtime.database, account[:100])
        given = digest(secret)
        fits = False
        for stored in found.secrets if found is not None else [b"\0" * 32]:
            fits |= hmac.compare_digest(stored, given)
        if found is None or not fits or not found.active:
            raise Unauthenticated(errors_pb2.ERROR_REASON_SIGN_IN_FAILED)
        return found

    def _require(self, actor: User) -> None:
        if not self._access.grants(actor.roles_at(EVERY_SITE), MANAGE):
            raise PermissionDenied(metadata={"permission": MANAGE})


def check_origin(origin: str) -> None:
    """Refuse what is no origin (scheme, host, port); raises InvalidArgument on field `origins`."""
    parts = urlsplit(origin)
    if parts.scheme not in ("https", "http") or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin:
        raise InvalidArgument.field("origins", "has entries such as https://www.example.com, without a path")


async def _create(
    database: Database,
    account: str,
    display_name: str,
    secret_hash: bytes,
    roles: Mapping[str, Sequence[str]],
    origins: Sequence[str],
    actor: str,
) -> None:
    async with database.transaction() as tx:
        await store.insert(
            tx, account, display_name=display_name, secret_hash=secret_hash, roles=roles, origins=origins
        )
        for site, given in roles.items():
            tx.audit(Entry(site, actor, "service_account_created", f"serviceAccounts/{account}", ",".join(given)))


async def _rotate(database: Database, account: str, secret_hash: bytes, actor: str) -> None:
    async with database.transaction() as tx:
        if not await store.rotate(tx, account, secret_hash, OLD_SECRET_SECONDS):
            raise NotFound(metadata={"name": f"serviceAccounts/{account}"})
        tx.audit(Entry(EVERY_SITE, actor, "service_account_rotated", f"serviceAccounts/{account}"))


async def _disable(database: Database, account: str, actor: str) -> None:
    async with database.transaction() as tx:
        if not await store.set_active(tx, account, active=False):
            raise NotFound(metadata={"name": f"serviceAccounts/{account}"})
        tx.audit(Entry(EVERY_SITE, actor, "service_account_disabled", f"serviceAccounts/{account}"))
