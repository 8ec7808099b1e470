"""Upstream subscriptions: streaming RPCs as async iterators of encoded events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from google.protobuf.message import Message

from services.gateway.identity.tokens import Issuer
from services.gateway.stream.events import Item, encode
from services.gateway.transcode.routes import Route
from services.kit import call as calls
from services.kit.access import EVERY_SITE
from services.kit.call import Call
from services.kit.client import ClientChannel, Target
from services.kit.errors import Unavailable
from services.kit.errors.texts import DEFAULT_LOCALE
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Trace, Tracer

# The role of the gateway's own subscriptions, which are shared by everybody who may listen.
LISTENER = "listener"


class Subscriptions:
    """Opens streams to services; channels are made at the first use, inside the event loop."""

    def __init__(self, targets: dict[str, Target], issuer: Issuer, metrics: ClientMetrics, tracer: Tracer) -> None:
        self._targets = targets
        self._issuer = issuer
        self._metrics = metrics
        self._tracer = tracer
        self._channels: dict[str, ClientChannel] = {}

    async def shared(self, route: Route, request: Message, cursor: str) -> AsyncGenerator[Item]:
        """Subscribe as the gateway itself, in a trace of its own: it is nobody's request."""
        token = self._issuer.service("gateway-stream", {EVERY_SITE: frozenset({LISTENER})})
        trace = self._tracer.begin(None)
        async for item in self.own(route, request, cursor, token=token, trace=trace):
            yield item

    async def own(
        self, route: Route, request: Message, cursor: str, *, trace: Trace, token: str, locale: str = DEFAULT_LOCALE
    ) -> AsyncGenerator[Item]:
        """Subscribe as a caller, with their token, in their trace. Raises KefuError."""
        asked: Any = route.request_class()
        asked.CopyFrom(request)
        asked.cursor = cursor
        method = self._channel(route.package).unary_stream(
            route.path,
            request_serializer=type(asked).SerializeToString,
            response_deserializer=route.reply_class.FromString,
        )
        with calls.bind(Call(route.path, token=token, locale=locale, trace=trace)):
            responses = method(asked)
        try:
            async for response in responses:
                yield encode(response)
        finally:
            responses.cancel()

    def _channel(self, package: str) -> ClientChannel:
        if package not in self._channels:
            target = self._targets.get(package)
            if target is None:
                raise Unavailable(metadata={"part": package})
            self._channels[package] = ClientChannel(target, tracer=self._tracer, metrics=self._metrics)
        return self._channels[package]

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()
