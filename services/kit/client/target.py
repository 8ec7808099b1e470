"""Where a neighbour is and how it may be called: address, TLS, balancing, keepalive, retries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool

from services.kit.health import ACCEPTING
from services.kit.interceptors.method import Method

# Between two tries to connect, at most: how soon a server that is back is called again.
RECONNECT_SECONDS: Final = 5
# Who does not even answer a ping is given up after both. Above the server's own minimum (server.py), so that no caller
# is told ENHANCE_YOUR_CALM.
PING_SECONDS: Final = 30
PING_ANSWER_SECONDS: Final = 10
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# gRFC A6; UNAVAILABLE only, since every other code says that the call was judged.
_RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


@dataclass(frozen=True, slots=True)
class Target:
    """A neighbour: `address` as gRPC names it ("dns:///kefu-intake:8080", "ipv4:127.0.0.1:5000,127.0.0.1:5001").

    `services` are the full names of the services called there, from whose contracts the retries follow; `config`
    is a service config (JSON) to use instead. `authority_file` (PEM) turns TLS on; `certificate` and `key` show ours.
    """

    address: str
    services: Sequence[str] = ()
    config: Path | None = None
    authority_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials | None:
        """TLS credentials from the mounted files; None for plain text."""
        if self.authority_file is None:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=self.authority_file.read_bytes(),
            private_key=self.key.read_bytes() if self.key is not None else None,
            certificate_chain=self.certificate.read_bytes() if self.certificate is not None else None,
        )

    def options(self) -> list[tuple[str, Any]]:
        """Channel options."""
        config = self.config.read_text(encoding="utf-8") if self.config is not None else service_config(self.services)
        return [
            ("grpc.service_config", config),
            ("grpc.enable_retries", 1),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", PING_SECONDS * 1000),
            ("grpc.keepalive_timeout_ms", PING_ANSWER_SECONDS * 1000),
            ("grpc.http2.ping_timeout_ms", PING_ANSWER_SECONDS * 1000),
            ("grpc.keepalive_permit_without_calls", 0),
            # Who only listens sends nothing else: without this pings end after the second (grpc/grpc#25722).
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_SECONDS * 1000),
            ("grpc.dns_min_time_between_resolutions_ms", 2_000),
        ]


def service_config(services: Sequence[str]) -> str:
    """The service config of these services: round robin over the servers that accept calls, and retries.

    Retried, on UNAVAILABLE only, is what its contract calls NO_SIDE_EFFECTS or IDEMPOTENT (a write, by its request_id).
    """
    pool = descriptor_pool.Default()
    names = [
        {"service": service, "method": descriptor.name}
        for service in services
        for descriptor in pool.FindServiceByName(service).methods
        if Method.of(descriptor).repeatable and not descriptor.client_streaming
    ]
    config: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ACCEPTING},
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }
    if names:
        config["methodConfig"] = [{"name": names, "retryPolicy": _RETRY}]
    return json.dumps(config)
