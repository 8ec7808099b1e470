"""Short-lived EdDSA tokens for the services, signed with a key from mounted files and published as JWKS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.gateway.identity.user import User
from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.kit.keys import KeySetError, read_keys

LIFETIME_SECONDS: Final = 300.0
CHANNEL_SECONDS: Final = 4 * 3600.0
# A token is renewed before its last seconds, so that none expires on its way.
_SPARE_SECONDS: Final = 60.0
_RECHECK_SECONDS: Final = 30.0


class Issuer:
    """Signs tokens. The key is read again when the files change: a rotation adds the new pair, then removes the old.

    `public_keys` is the folder of the public ones, for verifiers; by default `public` in `folder`.
    `kid` names the key to sign with; by default the last by name, so that dated names rotate by themselves.
    """

    def __init__(
        self,
        folder: Path,
        *,
        public_keys: Path | None = None,
        kid: str | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self.public_keys = public_keys or folder / "public"
        self._wanted = kid
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kid, self._signer = self._read()
        self._read_at = monotonic()
        self._cached: dict[tuple[str, object], tuple[float, str, str]] = {}

    def person(self, user: User) -> str:
        """A person's token, the same one for a few minutes."""
        return self._remembered((user.subject, _frozen(user)), lambda: self._person(user))

    def _person(self, user: User) -> str:
        sites = {site: sorted(roles) for site, roles in user.roles.items()}
        return self._sign(
            user.subject, Kind.PERSON, LIFETIME_SECONDS, sites=sites, locale=user.locale, person=user.person
        )

    def service(self, subject: str, sites: Mapping[str, frozenset[str]]) -> str:
        """A service account's token."""
        return self._sign(
            subject, Kind.SERVICE, LIFETIME_SECONDS, sites={site: sorted(roles) for site, roles in sites.items()}
        )

    def channel(
        self,
        *,
        site: str,
        channel: str,
        customer: str,
        tier: str = "",
        name: str = "",
        locale: str = "",
        issued_by: str = "",
        simulated: bool = False,
        seconds: float = CHANNEL_SECONDS,
    ) -> str:
        """A customer's token: opens that customer's own conversations at that site and nothing else.

        What a `simulated` customer opens is marked as simulated traffic.
        """
        claims: dict[str, Any] = {"site": site, "channel": channel, "customer": customer, "tier": tier, "name": name}
        if simulated:
            claims["simulated"] = True
        return self._sign(customer, Kind.CUSTOMER, seconds, locale=locale, issued_by=issued_by, **claims)

    def jwks(self) -> dict[str, Any]:
        """The public keys in use (RFC 7517)."""
        keys = []
        for kid, key in read_keys(self.public_keys).items():
            document: dict[str, Any] = OKPAlgorithm.to_jwk(key, as_dict=True)
            keys.append({**document, "kid": kid, "use": "sig", "alg": "EdDSA"})
        return {"keys": keys}

    def _sign(self, subject: str, kind: Kind, seconds: float, **claims: Any) -> str:
        self._refresh()
        return self._signer.sign(subject, kind, ttl=seconds, **claims)

    def _remembered(self, key: tuple[str, object], make: Callable[[], str]) -> str:
        known = self._cached.get(key)
        if known is not None and known[0] > self._now() and known[1] == self._kid:
            return known[2]
        token = make()
        if len(self._cached) > 5_000:
            self._cached.clear()
        self._cached[key] = (self._now() + LIFETIME_SECONDS - _SPARE_SECONDS, self._kid, token)
        return token

    def _refresh(self) -> None:
        if self._monotonic() - self._read_at < _RECHECK_SECONDS:
            return
        with self._lock:
            self._read_at = self._monotonic()
            try:
                self._kid, self._signer = self._read()
            except (OSError, ValueError):
                return  # half-written files: the key in force stays

    def _read(self) -> tuple[str, TokenSigner]:
        published = read_keys(self.public_keys)
        ready = sorted(file.stem for file in self._folder.glob("*.key") if file.stem in published)
        kid = self._wanted or (ready[-1] if ready else "")
        if kid not in ready:
            raise KeySetError(
                f"{self._folder}: no private key {kid or '<kid>'}.key with its public/{kid or '<kid>'}.pem"
            )
        key = serialization.load_pem_private_key((self._folder / f"{kid}.key").read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise KeySetError(f"{self._folder}: {kid}.key is not an Ed25519 key")
        return kid, TokenSigner(kid, key, now=self._now)


def _frozen(user: User) -> object:
    return user.locale, tuple(sorted((site, tuple(sorted(roles))) for site, roles in user.roles.items()))
