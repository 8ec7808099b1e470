"""The gateway as the live generator uses it: tokens by client credentials, channel tokens, the console's switch."""

from __future__ import annotations

import base64
import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.simulate.tokens import StackTokens

ASK_SECONDS = 5.0
SPARE_SECONDS = 30.0


class GatewayError(OSError):
    """The gateway did not give what was asked; says what it answered."""


class Gateway:
    """A small client of the OAuth endpoints and of /v1/simulation."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._token = ""
        self._until = 0.0

    def token(self) -> str:
        """The service account's token, a new one shortly before the old one ends."""
        if time.monotonic() > self._until:
            answer = self._ask(
                "POST",
                "/oauth/token",
                urlencode({"grant_type": "client_credentials"}),
                {"Authorization": f"Basic {self._basic}", "Content-Type": "application/x-www-form-urlencoded"},
            )
            self._token = str(answer["access_token"])
            self._until = time.monotonic() + float(answer["expires_in"]) - SPARE_SECONDS
        return self._token

    def channel_token(self, *, site: str, channel: str, customer: str, tier: str) -> str:
        """A customer's token."""
        body = json.dumps({"site": site, "channel": channel, "customer": customer, "tier": tier})
        return str(self._ask("POST", "/oauth/channelToken", body, self._bearer())["access_token"])

    def simulation_runs(self) -> bool:
        """Whether the console's switch is on."""
        return bool(self._ask("GET", "/v1/simulation", None, self._bearer()).get("running", False))

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ASK_SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
        except http.client.HTTPException as fault:
            raise GatewayError(f"{path}: {type(fault).__name__}") from fault
        finally:
            connection.close()
        if response.status != 200:
            raise GatewayError(f"{path} answers {response.status}: {data[:200].decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(data)
        return answer


class GatewayTokens:
    """Tokens from the gateway; those of the people at the desk, who have no password, from the local stack's key."""

    def __init__(self, gateway: Gateway, keys: Path) -> None:
        self._gateway = gateway
        self._stack = StackTokens(keys)
        self._channel: dict[str, str] = {}

    def customer(self, site: str, channel: str, customer: str, tier: str) -> str:
        """A channel token, kept for the length of a conversation."""
        if customer not in self._channel:
            if len(self._channel) > 500:
                self._channel.clear()
            self._channel[customer] = self._gateway.channel_token(
                site=site, channel=channel, customer=customer, tier=tier
            )
        return self._channel[customer]

    def person(self, site: str, person: str) -> str:
        """A person at the desk."""
        return self._stack.person(site, person)

    def service(self) -> str:
        """The simulator's service account."""
        return self._gateway.token()
