"""W3C trace context and our own thin use of OpenTelemetry: the sampling decision comes before any span is built.

A stock SDK span costs 27 µs a call; here an unsampled call costs a comparison. Spans exist only when the
standard variables name an exporter (`OTEL_TRACES_EXPORTER=otlp` or an `OTEL_EXPORTER_OTLP_*ENDPOINT`).
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

Kind = Literal["SERVER", "CLIENT", "CONSUMER", "INTERNAL"]
# Status codes that are the server's fault, from OpenTelemetry's conventions for gRPC; every other one is an answer.
_FAULTS: Final = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Span(Protocol):
    """The part of an OpenTelemetry span that we use."""

    def set_attribute(self, key: str, value: str | int | float | bool) -> None:
        """Attach one attribute."""

    def set_status(self, status: Any) -> None:
        """Say how it went, for `failed`."""

    def end(self) -> None:
        """Close the span."""


def answered(span: Span, code: str) -> None:
    """Note the status code of a call; a fault of the server's makes the span an error, a refusal does not."""
    span.set_attribute("rpc.response.status_code", code)
    if code in _FAULTS:
        failed(span, code)
    elif code != "OK":
        span.set_attribute("error.type", code)


def failed(span: Span, error_type: str) -> None:
    """Make a span an error, by which collectors keep its trace and viewers show it in red."""
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


class Trace:
    """The trace context of one call; ids are drawn only when something asks for them.

    Of a caller's `traceparent` a well-formed value is taken over, anything else is ignored and a trace begins here.
    """

    __slots__ = ("_traceparent", "sampled")

    def __init__(self, traceparent: str | None = None, *, sampled: bool | None = None) -> None:
        if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent):
            traceparent = None
        self._traceparent = traceparent
        if sampled is None:
            sampled = traceparent is not None and int(traceparent[-2:], 16) & 1 == 1
        self.sampled = sampled

    @property
    def inherited(self) -> bool:
        """Whether a context exists already: a caller's, or one that something asked for."""
        return self._traceparent is not None

    @property
    def traceparent(self) -> str:
        """The W3C header to send on: to a neighbour, or in an outbox row."""
        if self._traceparent is None:
            trace_id, span_id = random.getrandbits(128) or 1, random.getrandbits(64) or 1
            self._traceparent = f"00-{trace_id:032x}-{span_id:016x}-{self.sampled:02x}"
        return self._traceparent

    @traceparent.setter
    def traceparent(self, value: str) -> None:
        self._traceparent = value

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return self.traceparent[3:35]

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return self.traceparent[36:52]


class Tracer:
    """Decides and opens spans; without a provider it only carries the context on."""

    def __init__(
        self,
        provider: TracerProvider | None = None,
        *,
        ratio: float = 1.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._tracer = None if provider is None else provider.get_tracer("kefu")
        self._provider = provider
        self._ratio = ratio
        self._chance = chance

    def begin(self, traceparent: str | None) -> Trace:
        """The context of an incoming call: its caller's decision, else ours by the configured ratio."""
        if traceparent is not None:
            trace = Trace(traceparent)
            if trace.inherited:
                return trace
        return Trace(sampled=self._tracer is not None and self._ratio > 0 and self._chance() < self._ratio)

    def open(self, trace: Trace, name: str, *, kind: Kind, attributes: Mapping[str, str]) -> Span | None:
        """A span as a child of `trace`, which it replaces as the context of what follows; None when not sampled."""
        if self._tracer is None or not trace.sampled:
            return None
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            name,
            context=_parent(trace),
            kind=SpanKind[kind],
            attributes=dict(attributes),
        )
        context = span.get_span_context()
        trace.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
        return span

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Send what is queued, for at most `timeout_seconds`; blocks, so call it in a thread.

        The SDK's own flush keeps to no timeout (opentelemetry-python#4568): it goes on in a thread that nobody awaits.
        """
        if self._provider is not None:
            flushing = threading.Thread(target=self._provider.shutdown, name="traces-flush", daemon=True)
            flushing.start()
            flushing.join(timeout_seconds)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], service: str) -> Tracer:
        """A tracer by the standard variables.

        OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, OTEL_TRACES_SAMPLER(_ARG), OTEL_SERVICE_NAME,
        OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_*.
        """
        exporter = environ.get("OTEL_TRACES_EXPORTER")
        if exporter is None:
            named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            exporter = "otlp" if any(environ.get(name) for name in named) else "none"
        if exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return cls()
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        resource = Resource.create(
            {"service.name": environ.get("OTEL_SERVICE_NAME", service), "service.namespace": "kefu"}
        )
        # The decision is ours and already taken when a span is opened.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, ratio=sampling_ratio(environ))


def sampling_ratio(environ: Mapping[str, str]) -> float:
    """The share of new traces to keep, from OTEL_TRACES_SAMPLER and its argument (default: all, as in the standard)."""
    sampler = environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    if sampler.endswith("always_off"):
        return 0.0
    if sampler.endswith("traceidratio"):
        try:
            return min(1.0, max(0.0, float(environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))))
        except ValueError:
            return 1.0
    return 1.0


def _parent(trace: Trace) -> Context | None:
    if not trace.inherited:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    context = SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(context))
