"""The sample configuration of a collector: whole, in order, and what it keeps by is what our spans say."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from grafana.rules import HERE
from services.kit.embedded import free_port
from services.policy.loader import load_bytes
from services.stack import processes
from tests.charts.helm import CHART, values_of
from tests.observability.stack import Stack, collecting, until
from tests.observability.traffic import Done

CONFIG: Mapping[str, Any] = yaml.safe_load((HERE / "collector.yaml").read_text(encoding="utf-8"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SAMPLING = CONFIG["processors"]["tail_sampling"]
COLLECTOR = os.environ.get("KEFU_COLLECTOR") or shutil.which("otelcol-contrib")
BROKEN, ERRORS, SLOW, REST = (policy["name"] for policy in SAMPLING["policies"])


def kept_by(spans: Iterable[Span]) -> set[str]:
    """The policies that keep a trace, as the collector's README describes them; chance is left out."""
    whole = list(spans)
    judged: Mapping[str, Callable[[Any], bool]] = {
        "string_attribute": lambda of: any(_has(span, of["key"], of["values"]) for span in whole),
        "status_code": lambda of: any(
            Status.StatusCode.Name(span.status.code)[12:] in of["status_codes"] for span in whole
        ),
        "latency": lambda of: of["threshold_ms"] < _milliseconds(whole) <= of["upper_threshold_ms"],
        "probabilistic": lambda _: False,
    }
    return {one["name"] for one in SAMPLING["policies"] if judged[one["type"]](one[one["type"]])}


def _has(span: Span, key: str, values: list[str]) -> bool:
    return any(pair.key == key and pair.value.string_value in values for pair in span.attributes)


def _milliseconds(spans: list[Span]) -> float:
    return (max(one.end_time_unix_nano for one in spans) - min(one.start_time_unix_nano for one in spans)) / 1e6


def span(
    milliseconds: int = 20,
    *,
    status: Status.StatusCode.ValueType = Status.STATUS_CODE_UNSET,
    named: Mapping[str, str] = {},
) -> Span:
    attributes = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in named.items()]
    return Span(end_time_unix_nano=milliseconds * 1_000_000, status=Status(code=status), attributes=attributes)


def test_every_part_is_declared_and_used() -> None:
    service = CONFIG["service"]
    for kind in ("receivers", "processors", "exporters"):
        used = [name for pipeline in service["pipelines"].values() for name in pipeline[kind]]
        assert set(used) == set(CONFIG[kind])
    assert set(service["extensions"]) == set(CONFIG["extensions"])
    for policy in SAMPLING["policies"]:
        assert set(policy) == {"name", "type", policy["type"]}


def test_memory_is_guarded_first_and_batches_are_made_of_what_is_kept() -> None:
    assert CONFIG["service"]["pipelines"]["traces"]["processors"] == ["memory_limiter", "tail_sampling", "batch"]
    assert SAMPLING["decision_cache"]["sampled_cache_size"] >= 10 * SAMPLING["num_traces"]


def test_a_trace_is_whole_when_a_first_response_of_half_a_minute_is_broken() -> None:
    wait = float(SAMPLING["decision_wait"].removesuffix("s"))
    profiles = [load_bytes(file.read_bytes(), str(file)).profile for file in processes.PROFILES.glob("*.yaml")]
    queues = [queue for one in profiles for queue in one.queues.values()]
    assert min(one.first_response_s for one in queues if one.first_response_s is not None) <= 30 < wait
    assert SAMPLING["policies"][2]["latency"]["upper_threshold_ms"] / 1000 <= wait


def test_the_chart_sends_every_trace_where_this_listens() -> None:
    port = CONFIG["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].rpartition(":")[2]
    values = values_of(("prod",))
    assert values["telemetry"]["otlpEndpoint"].endswith(f":{port}")
    assert values["telemetry"]["sampleRatio"] == 1.0
    assert {one["port"] for one in DEFAULTS["networkPolicies"]["egress"]["collector"]["ports"]} == {int(port)}


def test_errors_slow_traces_and_broken_promises_are_kept_and_the_rest_is_not() -> None:
    assert kept_by([span(), span(status=Status.STATUS_CODE_OK)]) == set()
    assert kept_by([span(), span(status=Status.STATUS_CODE_ERROR)]) == {ERRORS}
    assert kept_by([span(1_500)]) == {SLOW}
    assert kept_by([span(3_600_000)]) == set()
    assert kept_by([span(), span(named={"kefu.outcome": "breached"})]) == {BROKEN}


@pytest.mark.skipif(COLLECTOR is None, reason="KEFU_COLLECTOR names no OpenTelemetry Collector (contrib)")
def test_a_real_collector_keeps_what_we_say_it_does(tmp_path: Path) -> None:
    traces = {
        "broken": [span(), span(named={"kefu.outcome": "breached"})],
        "failed": [span(), span(status=Status.STATUS_CODE_ERROR)],
        "slow": [span(1_500)],
        "stream": [span(3_600_000)],
        **{f"usual {number}": [span()] for number in range(200)},
    }
    with collecting() as (sink, port), collector(tmp_path, onward=port) as address:
        ids = {secrets.token_bytes(16): name for name in traces}
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            export = TraceServiceStub(channel).Export  # type: ignore[no-untyped-call]
            for trace_id, name in ids.items():
                export(request(trace_id, traces[name]), timeout=10)
        must = {"broken", "failed", "slow"}
        until(lambda: {ids[one.trace_id] for _, one in sink.spans} >= must, "the traces that matter", seconds=30)
        kept = {ids[one.trace_id] for _, one in sink.spans}
    assert len([one for _, one in sink.spans if ids[one.trace_id] == "broken"]) == 2, "the whole trace"
    assert len(kept - must) < 40, "5 % of the rest, not all of it"


@contextmanager
def collector(folder: Path, *, onward: int) -> Iterator[str]:
    """The committed configuration, run; only addresses and the wait are others. Where it listens."""
    address = f"127.0.0.1:{free_port()}"
    over = folder / "here.yaml"
    settings = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": address}}}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{free_port()}"}},
        "processors": {"tail_sampling": {"decision_wait": "1s"}},
    }
    over.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [str(COLLECTOR), f"--config={HERE / 'collector.yaml'}", f"--config={over}"]
    with (folder / "collector.log").open("wb") as log:
        environment = os.environ | {"TRACES_ENDPOINT": f"127.0.0.1:{onward}"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(20)


def request(trace_id: bytes, spans: list[Span]) -> ExportTraceServiceRequest:
    """Spans as a service sends them."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="intake")))
    now = time.time_ns()
    for one in spans:
        placed = resource.scope_spans.add().spans.add()
        placed.CopyFrom(one)
        placed.trace_id, placed.span_id, placed.name = trace_id, secrets.token_bytes(8), "call"
        placed.start_time_unix_nano, placed.end_time_unix_nano = now, now + one.end_time_unix_nano
    return made


def test_a_broken_promise_is_in_the_trace_in_which_it_began(whole_stack: Stack, done: Done) -> None:
    def broken() -> list[Span]:
        return [one for _, one in whole_stack.sink.of(done.trace_id) if one.name == "promise broken"]

    (found,) = until(broken, "the span of the broken promise")
    attributes = {pair.key: pair.value.string_value for pair in found.attributes}
    assert attributes == {
        "kefu.site": "online-desk",
        "kefu.queue": "GENERAL",
        "kefu.clock": "FIRST_RESPONSE",
        "kefu.outcome": "breached",
    }
    spans = [one for _, one in whole_stack.sink.of(done.trace_id)]
    assert BROKEN in kept_by(spans)
    (parent,) = [one for one in spans if one.span_id == found.parent_span_id]
    assert parent.name == "kefu.intake.v1.ConversationService/CreateConversation"


def test_a_trace_in_which_all_went_well_is_left_to_chance(whole_stack: Stack, done: Done) -> None:
    traces: dict[str, list[Span]] = {}
    for _, one in list(whole_stack.sink.spans):
        traces.setdefault(one.trace_id.hex(), []).append(one)
    assert len([spans for spans in traces.values() if not kept_by(spans) - {SLOW}]) > len(traces) / 2
    assert done.trace_id in traces
