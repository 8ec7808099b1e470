"""Traces leave by OTLP when the standard variables say so, and never hold up a call or the end of a process."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from services.kit.errors import KefuError
from services.kit.telemetry.trace import Tracer
from services.kit.testing.grpc import serve

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Sink(trace_service_pb2_grpc.TraceServiceServicer):
    """A collector that remembers spans."""

    def __init__(self) -> None:
        self.resources: list[Any] = []
        self.port = 0

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the contract's name
        self.resources.extend(request.resource_spans)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[Sink]:
    collector = Sink()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector
    server.stop(None).wait()


async def test_spans_reach_the_collector(
    contract: Any, tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{sink.port}")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    tracer = Tracer.from_environment(os.environ, "intake")
    async with serve(contract.registered(), keys_folder=tmp_path, tracer=tracer) as running:
        stub = contract.rpc.EchoServiceStub(running.channel())
        await stub.Say(contract.pb.SayRequest(name="sites/desk"), metadata=(("traceparent", SENT),))
    # Closing the server has flushed them.
    (resource,) = sink.resources
    attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert attributes["service.name"] == "intake"
    assert attributes["service.namespace"] == "kefu"
    assert attributes["deployment.environment.name"] == "test"
    (span,) = resource.scope_spans[0].spans
    assert span.name == "kefu.test.v1.EchoService/Say"
    assert span.trace_id.hex() == SENT[3:35]
    assert span.parent_span_id.hex() == SENT[36:52]


@pytest.mark.parametrize(
    ("fault", "code", "error"),
    [("", "OK", False), ("known", "FAILED_PRECONDITION", False), ("unknown", "INTERNAL", True)],
)
async def test_a_fault_of_ours_is_an_error_and_a_refusal_is_not(
    contract: Any, tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch, fault: str, code: str, error: bool
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{sink.port}")
    tracer = Tracer.from_environment(os.environ, "intake")
    async with serve(contract.registered(), keys_folder=tmp_path, tracer=tracer) as running:
        stub = contract.rpc.EchoServiceStub(running.channel())
        with contextlib.suppress(KefuError):
            await stub.Say(contract.pb.SayRequest(name="sites/desk", fault=fault), metadata=(("traceparent", SENT),))
    (span,) = sink.resources[0].scope_spans[0].spans
    attributes = {pair.key: pair.value.string_value for pair in span.attributes}
    assert attributes["rpc.response.status_code"] == code
    assert attributes.get("error.type", "OK") == code
    assert (span.status.code == Status.STATUS_CODE_ERROR) == error


async def test_collector_that_is_away_holds_nothing_up(
    contract: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    tracer = Tracer.from_environment(os.environ, "intake")
    async with serve(contract.registered(), keys_folder=tmp_path, tracer=tracer) as running:
        stub = contract.rpc.EchoServiceStub(running.channel())
        for _ in range(20):
            assert (await stub.Say(contract.pb.SayRequest(name="sites/desk"), timeout=2)).site == "desk"
        began = time.monotonic()
        await running.server.stop(drain_seconds=0)
        # 5 s are granted for sending what is queued.
        assert time.monotonic() - began < 7
