"""Where a simulation gets its tokens from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from services.kit.access import Kind
from services.kit.auth import TokenSigner

SIMULATOR = "simulator"
LIFE_SECONDS = 3_600.0
SPARE_SECONDS = 300.0


class Tokens(Protocol):
    """Tokens of everybody who acts in a simulation."""

    def customer(self, site: str, channel: str, customer: str, tier: str) -> str:
        """A customer's channel token."""
        ...

    def person(self, site: str, person: str) -> str:
        """Somebody at the desk."""
        ...

    def service(self) -> str:
        """The simulator's own service account, which also reports for the telephone system."""
        ...


class StackTokens:
    """Signs with the key of a stack that has no gateway: a throwaway stack for replays serves no browser.

    The tokens are what the gateway's /oauth/token and /oauth/channelToken would issue.
    """

    def __init__(self, keys: Path) -> None:
        private = max(keys.glob("*.key"))
        self._signer = TokenSigner.from_pem(private.stem, private.read_bytes())
        self._known: dict[tuple[str, str], tuple[float, str]] = {}

    def customer(self, site: str, channel: str, customer: str, tier: str) -> str:
        """A customer's channel token; each customer calls once or twice, so it is not kept."""
        claims = {"site": site, "channel": channel, "customer": customer, "tier": tier, "simulated": True}
        return self._signer.sign(customer, Kind.CUSTOMER, ttl=LIFE_SECONDS, **claims)

    def person(self, site: str, person: str) -> str:
        """A person with the role of an agent."""
        return self._kept((site, person), person, Kind.PERSON, {site: ["agent"]})

    def service(self) -> str:
        """The simulator everywhere."""
        return self._kept(("*", SIMULATOR), SIMULATOR, Kind.SERVICE, {"*": [SIMULATOR]})

    def _kept(self, key: tuple[str, str], subject: str, kind: Kind, sites: dict[str, list[str]]) -> str:
        until, token = self._known.get(key, (0.0, ""))
        if until < time.monotonic():
            token = self._signer.sign(subject, kind, ttl=LIFE_SECONDS, sites=sites)
            self._known[key] = (time.monotonic() + LIFE_SECONDS - SPARE_SECONDS, token)
        return token
