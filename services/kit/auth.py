"""Tokens: EdDSA-signed JWTs, verified once and remembered until they expire.

Claims: `sub`, `kind` (PERSON, SERVICE, CUSTOMER, SYSTEM), `sites` {site: [roles]}, `locale`, `exp`, `iat`. A customer's
channel token carries `site` instead of `sites` and has the role `customer` there.
Time here is real time even in a stack with a virtual clock: tokens guard the wire, not the simulated day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.access import Access, Kind, Principal
from services.kit.errors.tree import Unauthenticated
from services.kit.keys import KeySet

ALGORITHM: Final = "EdDSA"
CUSTOMER_ROLE: Final = "customer"
SERVICE_ROLE: Final = "service"
_LEEWAY_SECONDS: Final = 5.0
_MAX_TOKEN: Final = 8192


class TokenVerifier:
    """Turns a bearer token into a Principal.

    The signature costs ~170 µs, a remembered token 0.2 µs: at most `capacity` tokens are remembered (the oldest goes
    first), each until its `exp` and only while the key set that accepted it is in force.
    """

    def __init__(
        self, keys: KeySet, access: Access, *, capacity: int = 10_000, now: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._access = access
        self._capacity = capacity
        self._now = now
        self._known: dict[str, tuple[float, int, Principal]] = {}

    def verify(self, token: str) -> Principal:
        """The principal of a token; raises Unauthenticated, always with the same words, when it is not valid now."""
        known = self._known.get(token)
        if known is not None:
            expires, generation, principal = known
            if expires > self._now() and generation == self._keys.generation:
                return principal
            del self._known[token]
        expires, principal = self._check(token)
        if len(self._known) >= self._capacity:
            del self._known[next(iter(self._known))]
        self._known[token] = (expires, self._keys.generation, principal)
        return principal

    def _check(self, token: str) -> tuple[float, Principal]:
        if len(token) > _MAX_TOKEN:
            raise Unauthenticated
        try:
            key = self._keys.find(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                raise Unauthenticated
            # Expiry is compared below, by the injected clock.
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            expires = float(claims["exp"])
            principal = self._principal(claims)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unauthenticated from error
        if expires + _LEEWAY_SECONDS <= self._now():
            raise Unauthenticated
        return expires + _LEEWAY_SECONDS, principal

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        kind = Kind(claims["kind"])
        if kind is Kind.CUSTOMER:
            sites = {str(claims["site"]): frozenset({CUSTOMER_ROLE})}
        else:
            sites = {str(site): frozenset(map(str, roles)) for site, roles in claims["sites"].items()}
        return Principal(subject=str(claims["sub"]), kind=kind, sites=sites, claims=claims, access=self._access)


class TokenSigner:
    """Issues tokens with a private key; only who issues holds one (the gateway, the local stack, tests)."""

    def __init__(self, kid: str, key: Ed25519PrivateKey, *, now: Callable[[], float] = time.time) -> None:
        self._kid = kid
        self._key = key
        self._now = now

    @classmethod
    def from_pem(cls, kid: str, pem: bytes) -> TokenSigner:
        """From an unencrypted PKCS8 PEM; raises ValueError when it holds another kind of key."""
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the signing key must be Ed25519")  # noqa: TRY004 - the value in the file is wrong
        return cls(kid, key)

    def sign(self, subject: str, kind: Kind, *, ttl: float, **claims: Any) -> str:
        """A token for `ttl` seconds with further claims, e.g. `sites={"desk": ["agent"]}`, `locale="en"`."""
        issued = self._now()
        payload = {"sub": subject, "kind": kind.value, "iat": int(issued), "exp": issued + ttl, **claims}
        return jwt.encode(payload, self._key, algorithm=ALGORITHM, headers={"kid": self._kid})


class OwnToken:
    """A process's own token for calls that no caller stands behind (workers, relays), renewed before it expires.

    Call it for the token: `ClientChannel(target, token=OwnToken(signer, "intake"))`.
    """

    def __init__(
        self,
        signer: TokenSigner,
        subject: str,
        *,
        sites: Mapping[str, list[str]] | None = None,
        ttl: float = 300.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._signer = signer
        self._subject = subject
        self._sites = sites if sites is not None else {"*": [SERVICE_ROLE]}
        self._ttl = ttl
        self._now = now
        self._token = ""
        self._renew_at = 0.0

    def __call__(self) -> str:
        """The token; a new one once half of the old one's life is over."""
        if self._now() >= self._renew_at:
            self._token = self._signer.sign(self._subject, Kind.SERVICE, ttl=self._ttl, sites=dict(self._sites))
            self._renew_at = self._now() + self._ttl / 2
        return self._token
