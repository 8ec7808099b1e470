"""Channels to the services: one per service, made at the first call in the process that uses it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message
from kefu.common.v1 import errors_pb2

from services.gateway.config import GatewayConfig
from services.gateway.transcode.routes import Route, Routes, package_of
from services.kit.client import SyncClientChannel, Target
from services.kit.errors import Unavailable
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Tracer

Reply = TypeVar("Reply", bound=Message)
Invoke = Callable[[Message], Message]


def targets(config: GatewayConfig, routes: Routes) -> dict[str, Target]:
    """Service → where it answers, with the contracts that its retries follow."""
    found = {}
    for package in config.calls.addresses:
        names = {r.method.containing_service.full_name for r in routes.all if r.package == package}
        found[package] = config.calls.target(package, sorted(names))
    return found


class Upstream:
    """Calls services by contract; the token and the language are those of the call being served (kit.call)."""

    def __init__(
        self, targets: dict[str, Target], metrics: ClientMetrics | None = None, tracer: Tracer | None = None
    ) -> None:
        self._targets = targets
        self._metrics = metrics
        self._tracer = tracer
        self._lock = threading.Lock()
        self._channels: dict[str, SyncClientChannel] = {}
        self._methods: dict[str, Callable[..., Any]] = {}

    def invoke(self, route: Route, request: Message) -> Message:
        """Call a route's method; raises KefuError."""
        method = self._methods.get(route.path)
        if method is None:
            method = self._method(route.path, route.reply_class)
        reply: Message = method(request)
        return reply

    def call(self, name: str, request: Message, reply: type[Reply]) -> Reply:
        """Call "kefu.intake.v1.ConversationService/GetConversation"; raises KefuError."""
        path = f"/{name}"
        method = self._methods.get(path) or self._method(path, reply)
        answer: Reply = method(request)
        return answer

    def close(self) -> None:
        """Close every channel."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
            self._methods.clear()

    def _method(self, path: str, reply: type[Message]) -> Callable[..., Any]:
        package = package_of(path.strip("/").split("/", 1)[0])
        with self._lock:
            channel = self._channels.get(package)
            if channel is None:
                target = self._targets.get(package)
                if target is None:
                    raise Unavailable(errors_pb2.ERROR_REASON_DEPENDENCY_DOWN, {"part": package})
                channel = self._channels[package] = SyncClientChannel(
                    target, tracer=self._tracer, metrics=self._metrics
                )
            made: Callable[..., Any] = channel.unary_unary(
                path, request_serializer=_serialize, response_deserializer=reply.FromString
            )
            self._methods[path] = made
            return made


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
