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
from services.kit.telemetry.rpc import ClientMetrics

# The role of the gateway's own subscriptions, which are shared by everybody who may listen.
LISTENER = "listener"


class Subscriptions:
    """Opens streams to services; channels are made at the first use, inside the event loop."""

    def __init__(self, targets: dict[str, Target], issuer: Issuer, metrics: ClientMetrics) -> None:
        self._targets = targets
        self._issuer = issuer
        self._metrics = metrics
        self._channels: dict[str, ClientChannel] = {}

    async def shared(self, route: Route, request: Message, cursor: str) -> AsyncGenerator[Item]:
        """Subscribe as the gateway itself."""
        token = self._issuer.service("gateway-stream", {EVERY_SITE: frozenset({LISTENER})})
        async for item in self.own(route, request, cursor, token=token):
            yield item

    async def own(
        self, route: Route, request: Message, cursor: str, *, token: str, locale: str = "zh-CN"
    ) -> AsyncGenerator[Item]:
        """Subscribe as a caller, with their token. Raises KefuError."""
        asked: Any = route.request_class()
        asked.CopyFrom(request)
        asked.cursor = cursor
        method = self._channel(route.package).unary_stream(
            route.path,
            request_serializer=type(asked).SerializeToString,
            response_deserializer=route.reply_class.FromString,
        )
        with calls.bind(Call(route.path, token=token, locale=locale)):
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
            self._channels[package] = ClientChannel(target, metrics=self._metrics)
        return self._channels[package]

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()
