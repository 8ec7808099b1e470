"""Is an installation wired up? Every service's health, then one request through the gateway (`helm test` runs it)."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.kit.config import setting
from services.stack import health
from services.stack.health import Health

ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SmokeConfig:
    """Where an installation answers, seen from inside of it."""

    gateway: str | None = setting(
        "KEFU_GATEWAY_URL", None, help="Where the gateway answers here, such as http://kefu-gateway; unset without one"
    )
    stream: str = setting("KEFU_STREAM_URL", "", help="Where its streams answer here")
    public_url: str = setting("KEFU_PUBLIC_URL", "", help="Origin under which browsers see it; the host asked for")
    targets: tuple[str, ...] = setting("KEFU_HEALTH_TARGETS", (), help="service=host:port of every gRPC health port")
    client_id: str | None = setting("KEFU_CLIENT_ID", None, help="Service account; without one nobody signs in")
    client_secret: str | None = setting("KEFU_CLIENT_SECRET", None, help="Its secret", secret=True)
    site: str = setting("KEFU_SMOKE_SITE", "online-desk", help="Site whose wallboard is read")

    def __post_init__(self) -> None:
        """An account has a secret."""
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError("KEFU_CLIENT_ID and KEFU_CLIENT_SECRET belong together: set both or none")
        if self.gateway is not None and not (self.stream and self.public_url):
            raise ValueError("KEFU_GATEWAY_URL needs KEFU_STREAM_URL and KEFU_PUBLIC_URL")
        if self.gateway is None and not self.targets:
            raise ValueError("nothing to ask: set KEFU_GATEWAY_URL, KEFU_HEALTH_TARGETS or both")


def examine(config: SmokeConfig) -> Iterator[tuple[str, Health]]:
    """What was asked, and what came of it."""
    for target in config.targets:
        service, _, address = target.partition("=")
        yield service, health.ask(grpc_address=address)
    if config.gateway is not None:
        yield "gateway", health.ask(url=f"{config.gateway.rstrip('/')}/readyz")
        yield "stream", health.ask(url=f"{config.stream.rstrip('/')}/readyz")
        yield f"wallboard of {config.site}", _wallboard(config, config.gateway)


def _wallboard(config: SmokeConfig, gateway: str) -> Health:
    """Read a wallboard: gateway, token and intake together. Without an account the gateway must ask who we are."""
    path = f"/v1/sites/{config.site}/wallboard"
    try:
        if config.client_id is None:
            status, _ = _ask(config, gateway, "GET", path)
            return Health(well=status == 401, words=f"401 expected of a stranger, {status} came")
        basic = base64.b64encode(f"{config.client_id}:{config.client_secret}".encode()).decode()
        status, answer = _ask(
            config,
            gateway,
            "POST",
            "/oauth/token",
            urlencode({"grant_type": "client_credentials"}),
            {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"},
        )
        if status != 200:
            return Health(well=False, words=f"no token for {config.client_id}: {status}")
        status, answer = _ask(
            config, gateway, "GET", path, headers={"Authorization": f"Bearer {answer['access_token']}"}
        )
    except OSError as fault:
        return Health(well=False, words=str(fault))
    return Health(well=status == 200, words=str(answer.get("detail", status)))


def _ask(
    config: SmokeConfig,
    gateway: str,
    method: str,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(gateway)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ASK_SECONDS)
    try:
        connection.request(method, path, body, {"Host": urlsplit(config.public_url).netloc, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(text) if "json" in answer.headers.get("Content-Type", "") else {}
