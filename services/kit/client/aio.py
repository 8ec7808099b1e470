"""The channel of asyncio services. Stubs take it as they take grpc's own; what their calls raise are KefuErrors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from services.kit.client.outgoing import Outgoing, OutgoingCall, OutgoingMethod, TokenSupplier, forwarded_token
from services.kit.client.target import Target
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Tracer


class ClientChannel(grpc.aio.Channel):
    """One channel to one neighbour; open it inside the event loop and close it with the service.

    `token` gives the bearer token of each call: the served call's own by default. A call's timeout is the smallest of
    what it asks for, the default (10 s; streams an hour) and what is left of the call being served.
    """

    def __init__(
        self,
        target: Target,
        *,
        token: TokenSupplier = forwarded_token,
        locale: str | None = None,
        tracer: Tracer | None = None,
        metrics: ClientMetrics | None = None,
    ) -> None:
        credentials = target.credentials()
        self._inner: Any = (
            grpc.aio.insecure_channel(target.address, options=target.options())
            if credentials is None
            else grpc.aio.secure_channel(target.address, credentials, options=target.options())
        )
        self._outgoing = Outgoing(token=token, locale=locale, tracer=tracer, metrics=metrics)

    async def __aenter__(self) -> ClientChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close, giving running calls `grace` seconds."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The connection's state."""
        state: grpc.ChannelConnectivity = self._inner.get_state(try_to_connect)
        return state

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait for another state."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until connected."""
        await self._inner.channel_ready()

    def unary_unary(self, method: str, *arguments: Any, **options: Any) -> Any:
        """For stubs."""
        return _single(
            self._outgoing.method(method, streaming=False), self._inner.unary_unary(method, *arguments, **options)
        )

    def stream_unary(self, method: str, *arguments: Any, **options: Any) -> Any:
        """For stubs."""
        return _single(
            self._outgoing.method(method, streaming=True), self._inner.stream_unary(method, *arguments, **options)
        )

    def unary_stream(self, method: str, *arguments: Any, **options: Any) -> Any:
        """For stubs."""
        return _many(
            self._outgoing.method(method, streaming=True), self._inner.unary_stream(method, *arguments, **options)
        )

    def stream_stream(self, method: str, *arguments: Any, **options: Any) -> Any:
        """For stubs."""
        return _many(
            self._outgoing.method(method, streaming=True), self._inner.stream_stream(method, *arguments, **options)
        )


def _single(method: OutgoingMethod, inner: Any) -> Callable[..., Awaitable[Any]]:
    # The parameter is part of grpc's own signature.
    async def invoke(request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:  # noqa: ASYNC109
        call = method.begin(timeout, metadata)
        try:
            response = await inner(request, timeout=call.seconds, metadata=call.metadata, **options)
        except grpc.aio.AioRpcError as error:
            raise call.failed(error) from error
        except asyncio.CancelledError:
            call.end("CANCELLED")
            raise
        call.end()
        return response

    return invoke


def _many(method: OutgoingMethod, inner: Any) -> Callable[..., Responses]:
    def invoke(request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Responses:
        call = method.begin(timeout, metadata)
        return Responses(call, inner(request, timeout=call.seconds, metadata=call.metadata, **options))

    return invoke


class Responses:
    """The answers of a stream: iterate once, or `cancel()`."""

    def __init__(self, call: OutgoingCall, inner: Any) -> None:
        self._call = call
        self._inner = inner

    def cancel(self) -> bool:
        """Tell the server that nobody listens any more."""
        return bool(self._inner.cancel())

    async def __aiter__(self) -> AsyncIterator[Any]:
        code = "CANCELLED"
        try:
            async for response in self._inner:
                yield response
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = ""
            raise self._call.failed(error) from error
        finally:
            # Left early by its reader, the stream is cancelled rather than left to fill up.
            if code == "CANCELLED":
                self._inner.cancel()
            if code:
                self._call.end(code)
