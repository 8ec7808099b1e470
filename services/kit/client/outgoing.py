"""What every outgoing call carries and how its end is told, whichever way it is made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from services.kit import call as calls
from services.kit.deadline import NO_DEADLINE
from services.kit.errors.status import DETAILS_KEY, from_rpc_error
from services.kit.errors.tree import KefuError
from services.kit.telemetry.rpc import ClientMetrics, Durations
from services.kit.telemetry.trace import Span, Trace, Tracer, answered

UNARY_SECONDS: Final = 10.0
STREAM_SECONDS: Final = 3600.0

TokenSupplier = Callable[[], str | None]
Metadata = tuple[tuple[str, str], ...]


def forwarded_token() -> str | None:
    """The token of the call being served: the neighbour acts for the same caller."""
    call = calls.maybe()
    return None if call is None else call.token


class Outgoing:
    """How one channel's calls are dressed."""

    def __init__(
        self,
        *,
        token: TokenSupplier = forwarded_token,
        locale: str | None = None,
        tracer: Tracer | None = None,
        metrics: ClientMetrics | None = None,
        unary_seconds: float = UNARY_SECONDS,
        stream_seconds: float = STREAM_SECONDS,
    ) -> None:
        self._token = token
        self._locale = locale
        self.tracer = tracer or Tracer()
        self._metrics = metrics
        self._unary_seconds = unary_seconds
        self._stream_seconds = stream_seconds

    def method(self, path: str, *, streaming: bool) -> OutgoingMethod:
        """One method's part, by its path "/package.Service/Method"."""
        name = path.removeprefix("/")
        durations = None if self._metrics is None else self._metrics.of_method(name)
        return OutgoingMethod(self, name, durations, self._stream_seconds if streaming else self._unary_seconds)

    def metadata(self, call: calls.Call | None, trace: Trace | None) -> Metadata:
        """Token, trace context and locale; nothing else travels."""
        headers = []
        token = self._token()
        if token:
            headers.append(("authorization", f"Bearer {token}"))
        if trace is not None:
            headers.append(("traceparent", trace.traceparent))
        locale = self._locale or (call.locale if call is not None else None)
        if locale is not None:
            headers.append(("accept-language", locale))
        return tuple(headers)


class OutgoingMethod:
    """One method of a channel."""

    def __init__(self, outgoing: Outgoing, name: str, durations: Durations | None, seconds: float) -> None:
        self.name = name
        self._outgoing = outgoing
        self._durations = durations
        self._seconds = seconds

    def begin(self, timeout: float | None, metadata: Any) -> OutgoingCall:
        """Prepare one call; raises DeadlineExceeded when the call being served has no time left for it."""
        call = calls.maybe()
        deadline = NO_DEADLINE if call is None else call.deadline
        seconds = deadline.within(self._seconds if timeout is None else timeout)
        span: Span | None = None
        trace = call.trace if call is not None else None
        if call is not None and call.trace.sampled:
            # a trace that nothing began yet begins with this call: no parent is made up for it
            trace = Trace(call.trace.traceparent if call.trace.inherited else None, sampled=True)
            span = self._outgoing.tracer.open(
                trace, self.name, kind="CLIENT", attributes={"rpc.system.name": "grpc", "rpc.method": self.name}
            )
        headers = self._outgoing.metadata(call, trace)
        return OutgoingCall(seconds, headers + tuple(metadata or ()), span, self._durations)


class OutgoingCall:
    """One call on its way: its timeout in seconds, its headers, and how it ends."""

    __slots__ = ("_began", "_durations", "_span", "metadata", "seconds")

    def __init__(self, seconds: float, metadata: Any, span: Span | None, durations: Durations | None) -> None:
        self.seconds = seconds
        self.metadata = metadata
        self._span = span
        self._durations = durations
        self._began = time.perf_counter()

    def end(self, code: str = "OK") -> None:
        """Measure the call and close its span."""
        if self._durations is not None:
            self._durations[code].observe(time.perf_counter() - self._began)
        if self._span is not None:
            answered(self._span, code)
            self._span.end()

    def failed(self, error: grpc.RpcError) -> KefuError:
        """End with grpc's error and give the typed one."""
        call: Any = error
        code: grpc.StatusCode = call.code()
        self.end(code.name)
        details = next((value for key, value in call.trailing_metadata() or () if key == DETAILS_KEY), None)
        return from_rpc_error(code, call.details() or "", details)
