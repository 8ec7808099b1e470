"""Service accounts: what programs show to get in, and the rules for what they may be given."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from kefu.common.v1 import errors_pb2

from services.gateway.identity.secrets import digest
from services.gateway.oauth import store
from services.gateway.oauth.store import ServiceAccount
from services.gateway.runtime import Runtime
from services.kit.access import Access
from services.kit.errors import InvalidArgument, Unauthenticated

# May ask for channel tokens on behalf of its customers.
FRONTEND: Final = "frontend"
OLD_SECRET_SECONDS: Final = 86_400.0


class ServiceAccounts:
    """Authentication of service accounts; AdministrationService makes and changes them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def authenticate(self, account: str, secret: str) -> ServiceAccount:
        """The account of valid credentials; raises Unauthenticated SIGN_IN_FAILED otherwise, in the same words."""
        found = self._runtime.run(store.get, self._runtime.database, account[:100])
        given = digest(secret)
        fits = False
        for stored in found.secrets if found is not None else [bytes(len(given))]:
            fits |= hmac.compare_digest(stored, given)
        if found is None or not fits or not found.active:
            raise Unauthenticated(errors_pb2.ERROR_REASON_SIGN_IN_FAILED)
        return found


def check_roles(roles: Mapping[str, Sequence[str]], access: Access) -> None:
    """Refuse roles that nobody knows; raises InvalidArgument on field `service_account.roles`."""
    unknown = sorted({role for given in roles.values() for role in given} - set(access.roles))
    if unknown:
        raise InvalidArgument.field(
            "service_account.roles", f"{unknown[0]} is none of {', '.join(sorted(access.roles))}"
        )


def check_origin(origin: str) -> None:
    """Refuse what is no origin (scheme, host, port); raises InvalidArgument on field `service_account.origins`."""
    parts = urlsplit(origin)
    if parts.scheme not in ("https", "http") or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin:
        raise InvalidArgument.field(
            "service_account.origins", "has entries such as https://www.example.com, without a path"
        )
