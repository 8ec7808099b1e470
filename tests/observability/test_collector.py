"""The sample configuration of a collector: whole, in order, and what it keeps by is what our spans say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from grafana.rules import HERE
from services.policy.loader import load_bytes
from services.stack import processes
from tests.charts.helm import CHART, values_of
from tests.observability.stack import Stack, until
from tests.observability.traffic import Done

CONFIG: Mapping[str, Any] = yaml.safe_load((HERE / "collector.yaml").read_text(encoding="utf-8"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SAMPLING = CONFIG["processors"]["tail_sampling"]
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
