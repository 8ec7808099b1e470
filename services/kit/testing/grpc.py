"""A real server in this process with the full chain on a free port, tokens from a test key, and typed stubs.

async with serve([(add_EchoServicer_to_server, Echo())], keys_folder=tmp_path) as running:
    stub = EchoStub(running.channel(running.token(sites={"desk": ["agent"]})))
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import protovalidate
from prometheus_client import CollectorRegistry

from services.kit.access import Access, Kind
from services.kit.auth import TokenSigner, TokenVerifier
from services.kit.client import ClientChannel, Target
from services.kit.health import Check
from services.kit.interceptors.steps import Tools
from services.kit.keys import KeySet, new_key_pair
from services.kit.server import Server, ServerConfig
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.trace import Tracer

TEST_ACCESS: Final = Access.of({"roles": {"admin": ["*"]}})
Registered = tuple[Callable[[Any, Any], None], object]


class TestKeys:
    """A signing key of a test's own, with its public half where a server reads it."""

    __test__ = False

    def __init__(self, folder: Path, kid: str = "test") -> None:
        self.folder = folder
        self.signer = TokenSigner.from_pem(kid, new_key_pair(folder, kid).read_bytes())
        self.keys = KeySet(folder / "public")

    def token(
        self,
        subject: str = "tester",
        *,
        kind: Kind = Kind.PERSON,
        sites: Mapping[str, Iterable[str]] | None = None,
        ttl: float = 300.0,
        **claims: Any,
    ) -> str:
        """A token; by default of a person who is admin everywhere."""
        roles = {"*": ["admin"]} if sites is None else {site: list(names) for site, names in sites.items()}
        return self.signer.sign(subject, kind, ttl=ttl, sites=roles, **claims)


class Running:
    """A server that runs, and ways to call it."""

    def __init__(self, server: Server, keys: TestKeys, registry: CollectorRegistry) -> None:
        self.server = server
        self.keys = keys
        self.registry = registry
        self.token = keys.token
        self._channels: list[ClientChannel] = []

    @property
    def address(self) -> str:
        """host:port of the gRPC port."""
        return f"127.0.0.1:{self.server.port}"

    def channel(self, token: str | None = None, *, locale: str | None = None) -> ClientChannel:
        """A channel as services use it, with this token (an admin's by default); closed with the server."""
        chosen = self.keys.token() if token is None else token
        channel = ClientChannel(Target(f"ipv4:{self.address}"), token=lambda: chosen, locale=locale)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        """Close channels and server; nothing drains."""
        for channel in self._channels:
            await channel.close()
        await self.server.stop(drain_seconds=0)


async def start(
    registered: Iterable[Registered],
    *,
    keys_folder: Path,
    access: Access = TEST_ACCESS,
    checks: Mapping[str, Check] | None = None,
    config: ServerConfig | None = None,
    tracer: Tracer | None = None,
    owners: Iterable[str] = (),
    unary_seconds: float = 10.0,
    callers: frozenset[str] | None = None,
) -> Running:
    """Start a server with these servicers; the caller closes it."""
    keys = TestKeys(keys_folder)
    registry = CollectorRegistry()
    metrics = Metrics.from_catalogue(registry, owners=["rpc", "process", *owners])
    tools = Tools(
        verifier=TokenVerifier(keys.keys, access),
        tracer=tracer or Tracer.from_environment(os.environ, "test"),
        validator=protovalidate.Validator(),
        unary_seconds=unary_seconds,
        callers=callers,
    )
    server = Server(
        config or ServerConfig(grace_seconds=5.0), service="test", tools=tools, metrics=metrics, checks=checks
    )
    for register, servicer in registered:
        server.add(register, servicer)
    await server.start()
    return Running(server, keys, registry)


@asynccontextmanager
async def serve(registered: Iterable[Registered], *, keys_folder: Path, **options: Any) -> AsyncIterator[Running]:
    """Start a server as `start()` does and close it at the end."""
    running = await start(registered, keys_folder=keys_folder, **options)
    try:
        yield running
    finally:
        await running.close()
