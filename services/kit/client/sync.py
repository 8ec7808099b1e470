"""The channel of threaded programs (the Flask gateway, the CLI): the same manners with grpc's sync API.

Create it lazily in the process that uses it: a channel does not survive a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from services.kit.client.outgoing import Outgoing, OutgoingCall, OutgoingMethod, TokenSupplier, forwarded_token
from services.kit.client.target import Target
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Tracer


class SyncClientChannel(grpc.Channel):
    """One channel to one neighbour, safe to share between threads."""

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
            grpc.insecure_channel(target.address, options=target.options())
            if credentials is None
            else grpc.secure_channel(target.address, credentials, options=target.options())
        )
        self._outgoing = Outgoing(token=token, locale=locale, tracer=tracer, metrics=metrics)

    def __enter__(self) -> SyncClientChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close at once."""
        self._inner.close()

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Report the connection's states."""
        self._inner.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """Stop reporting."""
        self._inner.unsubscribe(callback)

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


def _single(method: OutgoingMethod, inner: Any) -> Callable[..., Any]:
    def invoke(request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        call = method.begin(timeout, metadata)
        try:
            response = inner(request, timeout=call.seconds, metadata=call.metadata, **options)
        except grpc.RpcError as error:
            raise call.failed(error) from error
        call.end()
        return response

    return invoke


def _many(method: OutgoingMethod, inner: Any) -> Callable[..., SyncResponses]:
    def invoke(request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> SyncResponses:
        call = method.begin(timeout, metadata)
        return SyncResponses(call, inner(request, timeout=call.seconds, metadata=call.metadata, **options))

    return invoke


class SyncResponses:
    """The answers of a stream: iterate once, or `cancel()`."""

    def __init__(self, call: OutgoingCall, inner: Any) -> None:
        self._call = call
        self._inner = inner

    def cancel(self) -> bool:
        """Tell the server that nobody listens any more."""
        return bool(self._inner.cancel())

    def __iter__(self) -> Iterator[Any]:
        code = "CANCELLED"
        try:
            yield from self._inner
            code = "OK"
        except grpc.RpcError as error:
            code = ""
            raise self._call.failed(error) from error
        finally:
            if code == "CANCELLED":
                self._inner.cancel()
            if code:
                self._call.end(code)
