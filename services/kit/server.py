"""The server builder: one chain for every RPC, health, reflection, metrics port, and an end without a failed call.

server = Server(ServerConfig(...), service="intake", tools=tools, metrics=metrics, checks={"database": db.check})
server.add(add_ConversationServiceServicer_to_server, servicer)
await server.start()
await server.run_until_signal()
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.kit import heap
from services.kit.config import setting
from services.kit.health import Check, Health
from services.kit.interceptors.chain import Chain
from services.kit.interceptors.method import Method
from services.kit.interceptors.steps import Tools
from services.kit.telemetry.http import MetricsPort
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.rpc import ServerMetrics

# What grpc itself lets in; the chain refuses from 4 MiB on, with a reason in the caller's language.
_TRANSPORT_BYTES: Final = 16 * 1024 * 1024
_LAG_SECONDS: Final = 1.0
_log: Final = logging.getLogger("kefu.server")


class ContractError(ValueError):
    """A registered method leaves open who may call it or whether it may be repeated; the server does not start."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How a service listens and how it stops."""

    listen: str = setting(
        "KEFU_LISTEN", "127.0.0.1:0", help="Address of the gRPC port, host:port; port 0 takes a free one"
    )
    health_listen: str | None = setting(
        "KEFU_HEALTH_LISTEN",
        None,
        help="Address of a further port with health alone, in plain text: probes know no TLS",
    )
    metrics_listen: str = setting("KEFU_METRICS_LISTEN", "127.0.0.1:0", help="Address of the metrics port, host:port")
    tls_certificate: Path | None = setting(
        "KEFU_TLS_CERTIFICATE", None, help="PEM file of the server's certificate chain"
    )
    tls_key: Path | None = setting("KEFU_TLS_KEY", None, help="PEM file of the certificate's private key")
    tls_client_ca: Path | None = setting(
        "KEFU_TLS_CLIENT_CA", None, help="PEM file: callers must show a certificate of it"
    )
    reflection: bool = setting("KEFU_REFLECTION", False, help="Serve gRPC reflection (development, staging)")
    drain_seconds: float = setting(
        "KEFU_DRAIN_SECONDS", 5.0, unit="s", at_least=0, help="From NOT_SERVING until no new call is accepted"
    )
    grace_seconds: float = setting(
        "KEFU_GRACE_SECONDS", 20.0, unit="s", at_least=0, help="Time that running calls get to end when stopping"
    )
    stream_grace_seconds: float = setting(
        "KEFU_STREAM_GRACE_SECONDS", 1.0, unit="s", at_least=0, help="Time that open streams get before they are ended"
    )
    connection_age_seconds: float = setting(
        "KEFU_CONNECTION_AGE_SECONDS", 60.0, unit="s", at_least=1, help="Age at which callers are asked to reconnect"
    )
    connection_grace_seconds: float = setting(
        "KEFU_CONNECTION_GRACE_SECONDS", 3600.0, unit="s", at_least=1, help="Time that open streams then have to end"
    )

    def __post_init__(self) -> None:
        """TLS needs both files."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("KEFU_TLS_CERTIFICATE and KEFU_TLS_KEY belong together: set both or none")


class Server:
    """One gRPC server with everything around it; built and started inside a running event loop."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        service: str,
        tools: Tools,
        metrics: Metrics,
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        self.config = config
        self.service = service
        self.port = 0
        self.health_port = 0
        self._tools = tools
        self._metrics = metrics
        self._checks = dict(checks or {})
        self._chain = Chain(tools, ServerMetrics(metrics))
        self._grpc = grpc.aio.server(options=_options(config))
        self._probed: grpc.aio.Server | None = None
        self._services: list[str] = []
        self._methods: list[Method] = []
        self._lag_task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        metrics.info("kefu_build_info", service=service, version=version("kefu"))
        self.health = Health({}, metrics, services=())
        self.metrics_port: MetricsPort | None = None

    @property
    def methods(self) -> tuple[Method, ...]:
        """Every method served, as its contract declares it."""
        return tuple(self._methods)

    def add(self, register: Callable[[Any, Any], None], servicer: object) -> None:
        """Register a servicer with its generated `add_…_to_server`; each method is wrapped in the chain."""
        register(servicer, _Recorder(self._register))

    async def start(self) -> None:
        """Open the ports and answer; raises ContractError naming every method that its contract leaves open."""
        faults = [fault for method in self._methods for fault in method.faults()]
        if faults:
            raise ContractError("\n".join(faults))
        self.health = Health(self._checks, self._metrics, services=self._services)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self._grpc)
        if self.config.reflection:
            health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            reflection.enable_server_reflection([*self._services, health_name, reflection.SERVICE_NAME], self._grpc)
        self.port = self._listen()
        self.metrics_port = MetricsPort(self._metrics.registry, self.config.metrics_listen)
        self.metrics_port.start()
        await self._grpc.start()
        await self.health.start()
        if self.config.health_listen is not None:
            self._probed = await self._listen_for_probes(self.config.health_listen)
        self._lag_task = asyncio.create_task(self._watch_loop(), name="loop-lag")
        heap.keep_what_is_there()
        _log.info("serving", extra={"listen": self.config.listen, "port": self.port, "metrics": self.metrics_port.port})

    async def run_until_signal(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        try:
            await asked.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        await self.stop()

    async def stop(self, *, drain_seconds: float | None = None) -> None:
        """NOT_SERVING, wait until callers have noticed, accept nothing new, let running calls end, flush, close."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        _log.info("stopping")
        await self.health.drain()
        await asyncio.sleep(self.config.drain_seconds if drain_seconds is None else drain_seconds)
        stopping = asyncio.create_task(self._grpc.stop(self.config.grace_seconds))
        await asyncio.wait([stopping], timeout=self.config.stream_grace_seconds)
        self._chain.end_streams()
        await stopping
        await self.health.stop()
        if self._probed is not None:
            await self._probed.stop(None)
        if self._lag_task is not None:
            self._lag_task.cancel()
            await asyncio.gather(self._lag_task, return_exceptions=True)
        await asyncio.to_thread(self._tools.tracer.close)
        if self.metrics_port is not None:
            await asyncio.to_thread(self.metrics_port.stop)

    def _register(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        descriptor = descriptor_pool.Default().FindServiceByName(service)
        wrapped = {}
        for name, handler in handlers.items():
            method = Method.of(descriptor.methods_by_name[name])
            if _inherited(handler):
                # Left out, so that grpc answers UNIMPLEMENTED as it does for a method that it never heard of.
                _log.warning("method not implemented", extra={"method": method.name})
                continue
            self._methods.append(method)
            wrapped[name] = self._chain.wrap(method, handler)
        self._services.append(service)
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, wrapped),))
        self._grpc.add_registered_method_handlers(service, wrapped)  # type: ignore[attr-defined]

    async def _listen_for_probes(self, address: str) -> grpc.aio.Server:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, server)
        try:
            self.health_port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address} for probes: is the port taken?") from error
        await server.start()
        return server

    def _listen(self) -> int:
        config = self.config
        try:
            if config.tls_certificate is None or config.tls_key is None:
                return self._grpc.add_insecure_port(config.listen)
            authority = config.tls_client_ca.read_bytes() if config.tls_client_ca is not None else None
            credentials = grpc.ssl_server_credentials(
                [(config.tls_key.read_bytes(), config.tls_certificate.read_bytes())],
                root_certificates=authority,
                require_client_auth=authority is not None,
            )
            return self._grpc.add_secure_port(config.listen, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {config.listen}: is the port taken?") from error

    async def _watch_loop(self) -> None:
        lag = self._metrics.gauge("kefu_event_loop_lag_seconds")[()]
        while True:
            began = time.monotonic()
            await asyncio.sleep(_LAG_SECONDS)
            lag.set(max(0.0, time.monotonic() - began - _LAG_SECONDS))
            if self.metrics_port is not None:
                self.metrics_port.turned()


class _Recorder:
    """Stands where generated code expects a server, and catches the handlers that it registers."""

    def __init__(self, record: Callable[[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]], None]) -> None:
        self._record = record

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same handlers come once more, with their service's name, in the next call."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """The handlers of one service by method name."""
        self._record(service, handlers)


def _inherited(handler: grpc.RpcMethodHandler[Any, Any]) -> bool:
    """Whether the servicer does not override the generated method."""
    behaviours = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    return any(str(getattr(one, "__module__", "")).endswith("_pb2_grpc") for one in behaviours if one is not None)


def _options(config: ServerConfig) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", _TRANSPORT_BYTES),
        ("grpc.max_connection_age_ms", int(config.connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", int(config.connection_grace_seconds * 1000)),
        # Below what clients send (client.py), or they are told ENHANCE_YOUR_CALM.
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.so_reuseport", 0),
    ]
