"""Metrics from the catalogue, logs with trace ids and without secrets, trace context."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from services.kit import call as calls
from services.kit.call import Call, system_call
from services.kit.interceptors import steps
from services.kit.telemetry.logs import JsonFormatter, configure
from services.kit.telemetry.metrics import CATALOGUE, CatalogueError, Metrics, read_catalogue
from services.kit.telemetry.redact import redacted
from services.kit.telemetry.trace import Trace, Tracer, sampling_ratio

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRY = """
kefu_try_total:
  type: counter
  owner: try
  labels: {outcome: [met, breached], site: open}
  help: {en: Tries., zh: 尝试。}
kefu_try_seconds:
  type: histogram
  unit: seconds
  owner: try
  buckets: [1, 30]
  help: {en: Time., zh: 时间。}
kefu_try_closed_total:
  type: counter
  owner: try
  labels: {a: [x, y], b: [z]}
  help: {en: Closed., zh: 封闭。}
kefu_tried_info:
  type: info
  owner: try
  labels: {version: open}
  help: {en: Which., zh: 版本。}
kefu_other_total:
  type: counter
  owner: other
  help: {en: Others., zh: 其他。}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.yaml"
    file.write_text(TRY)
    return file


@pytest.fixture
def metrics(catalogue: Path) -> Metrics:
    return Metrics.from_catalogue(CollectorRegistry(), catalogue, owners=["try"])


def test_the_projects_catalogue_can_be_built() -> None:
    declared = read_catalogue(CATALOGUE)
    registry = CollectorRegistry()
    Metrics.from_catalogue(registry, owners={entry.owner for entry in declared.values()})
    exposed = {family.name for family in registry.collect()}
    for name, entry in declared.items():
        suffix = {"counter": "_total", "info": "_info"}.get(entry.type, "")
        assert name.removesuffix(suffix) in exposed, name
        assert re.fullmatch(r"(kefu|process)_[a-z0-9_]+", name)


def test_exposed_under_the_declared_names(metrics: Metrics) -> None:
    metrics.counter("kefu_try_total")["met", "desk"].inc()
    metrics.histogram("kefu_try_seconds")[()].observe(2, {"trace_id": "abc"})
    metrics.info("kefu_tried_info", version="1")
    text = generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]
    assert 'kefu_try_total{outcome="met",site="desk"} 1.0' in text
    assert 'kefu_try_seconds_bucket{le="30.0"} 1.0 # {trace_id="abc"} 2.0' in text
    assert 'kefu_tried_info{version="1"} 1.0' in text
    # A closed counter is 0 from the start.
    assert 'kefu_try_closed_total{a="y",b="z"} 0.0' in text
    assert "kefu_other" not in text


def test_child_is_kept(metrics: Metrics) -> None:
    family = metrics.counter("kefu_try_total")
    assert family["met", "desk"] is family["met", "desk"]


def test_what_the_catalogue_does_not_declare_cannot_be(metrics: Metrics) -> None:
    with pytest.raises(CatalogueError, match="not declared for this process"):
        metrics.counter("kefu_unheard_total")
    with pytest.raises(CatalogueError, match="not declared for this process"):
        metrics.counter("kefu_other_total")
    with pytest.raises(CatalogueError, match="asked for as a gauge but is a counter"):
        metrics.gauge("kefu_try_total")
    with pytest.raises(CatalogueError, match="outcome='lost' is not in the catalogue"):
        metrics.counter("kefu_try_total")["lost", "desk"]
    with pytest.raises(CatalogueError, match="takes the labels"):
        metrics.counter("kefu_try_total")["met"]
    with pytest.raises(CatalogueError, match="no info metric"):
        metrics.info("kefu_unheard_info", version="1")
    with pytest.raises(CatalogueError, match="takes the labels"):
        metrics.info("kefu_tried_info", colour="red")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("type: counter", "a counter ends in _total"),
        ("type: pie", "type 'pie' is none of"),
        ("type: gauge\n  owner: x\n  help: {en: a}", "help needs en and zh"),
        ("type: gauge\n  help: {en: a, zh: b}", "owner is missing"),
        ("type: histogram\n  owner: x\n  help: {en: a, zh: b}", "has rising buckets"),
        ("type: histogram\n  owner: x\n  buckets: [2, 1]\n  help: {en: a, zh: b}", "has rising buckets"),
        ("type: gauge\n  unit: bytes\n  owner: x\n  help: {en: a, zh: b}", "the unit ends the name"),
        ("type: gauge\n  owner: x\n  colour: red\n  help: {en: a, zh: b}", "unknown keys ['colour']"),
    ],
)
def test_faulty_catalogue_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(f"kefu_faulty_seconds:\n  {text}\n")
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(file)
    assert fault in str(caught.value)
    assert "kefu_faulty_seconds: " in str(caught.value)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("intake", stream=stream)
    yield stream
    root.handlers[:], root.level = handlers, level


def test_a_record_is_one_line_of_json_with_the_calls_ids(lines: io.StringIO) -> None:
    with calls.bind(Call("m", site="desk", trace=Trace(SENT))):
        logging.getLogger("kefu.x").info("订单 %s\nnext", 7, extra={"state": "CLOSED", "path": Path("/x")})
    (text,) = lines.getvalue().splitlines()
    line = json.loads(text)
    assert line["message"] == "订单 7\nnext"
    assert (line["level"], line["logger"], line["service"]) == ("INFO", "kefu.x", "intake")
    assert (line["trace_id"], line["span_id"], line["site"]) == (SENT[3:35], SENT[36:52], "desk")
    assert (line["state"], line["path"]) == ("CLOSED", "/x")
    assert line["time"].endswith("+00:00")


def test_outside_of_a_call_there_are_no_ids(lines: io.StringIO) -> None:
    logging.getLogger("kefu.x").warning("plain")
    assert "trace_id" not in json.loads(lines.getvalue())


def test_traceback_is_in_the_line(lines: io.StringIO) -> None:
    try:
        os.environ["NOTHING_HERE"]
    except LookupError:
        logging.getLogger("kefu.x").exception("failed")
    assert "KeyError: 'NOTHING_HERE'" in json.loads(lines.getvalue())["traceback"]


def test_marked_fields_of_a_message_are_masked_in_logs() -> None:
    from kefu.events.v1 import event_pb2

    event = event_pb2.Event(id="e", site="desk")
    event.person_changed.person = "p-1"
    event.person_changed.display_name = "李娜"
    event.person_changed.skills.append("REFUND")
    shown = redacted(event)
    assert shown == {
        "id": "e",
        "site": "desk",
        "person_changed": {"person": "p-1", "display_name": "***", "skills": ["REFUND"]},
    }
    record = logging.makeLogRecord({"msg": "event", "levelname": "INFO", "event": event})
    assert "李娜" not in JsonFormatter("intake").format(record)


def test_long_and_binary_values_are_cut() -> None:
    option = descriptor_pb2.UninterpretedOption(string_value=b"12345", identifier_value="x" * 500)
    assert redacted(option) == {"identifier_value": "x" * 200 + "…", "string_value": "5 bytes"}


@pytest.mark.parametrize(
    ("header", "kept", "sampled"),
    [
        (SENT, True, True),
        (SENT[:-2] + "00", True, False),
        (SENT[:-2] + "03", True, True),
        ("00-" + "0" * 32 + SENT[35:], False, False),
        ("01" + SENT[2:], False, False),
        (SENT.upper(), False, False),
        ("x" * 55, False, False),
        (None, False, False),
    ],
)
def test_traceparent(header: str | None, kept: bool, sampled: bool) -> None:
    trace = Trace(header)
    assert trace.inherited is kept
    assert trace.sampled is sampled
    assert (trace.traceparent == header) is kept
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", trace.traceparent)
    assert trace.traceparent is trace.traceparent


@pytest.mark.parametrize(
    ("environ", "ratio"),
    [
        ({}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}, 0.01),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "7"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "many"}, 1.0),
    ],
)
def test_sampling_ratio(environ: dict[str, str], ratio: float) -> None:
    assert sampling_ratio(environ) == ratio


@pytest.mark.parametrize(
    "environ", [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}]
)
def test_no_exporter_no_spans(environ: dict[str, str]) -> None:
    tracer = Tracer.from_environment(environ, "intake")
    assert not tracer.begin(None).sampled
    assert tracer.open(Trace(SENT), "x", kind="SERVER", attributes={}) is None


def test_the_caller_decides_about_sampling_else_we() -> None:
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(shutdown_on_exit=False)
    assert Tracer(provider, ratio=0.5, chance=lambda: 0.4).begin(None).sampled
    assert not Tracer(provider, ratio=0.5, chance=lambda: 0.6).begin(None).sampled
    assert Tracer(provider, ratio=0.0).begin(SENT).sampled
    assert not Tracer(provider, ratio=1.0).begin(SENT[:-2] + "00").sampled


def test_current_call() -> None:
    assert calls.maybe() is None
    with pytest.raises(LookupError, match="no call is being served"):
        calls.current()
    with calls.bind(system_call("timer", site="desk")) as call:
        assert calls.current() is call
        assert (call.principal.kind, call.principal.subject, call.site) == ("SYSTEM", "timer", "desk")
        assert call.deadline.remaining() is None
    assert calls.maybe() is None


def test_order_of_the_chain() -> None:
    assert steps.ORDER == (
        "trace",
        "caller",
        "deadline",
        "authenticate",
        "decode",
        "known_enums",
        "permit",
        "validate",
        "fingerprint",
        "handle",
        "status",
        "metrics",
        "trace_end",
        "log",
    )
