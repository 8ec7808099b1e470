"""One linked trace from the browser's request to the last consumer of what it caused, along declared edges only."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from services.gateway.stream import hub
from services.gateway.worker import CONSUMER as WEBHOOKS
from services.intake.app import CONSUMERS
from services.policy.calls import Calls
from services.stack.home import SERVICES
from tests.observability.stack import Stack, until
from tests.observability.traffic import Done

DECLARED = Calls.read()
# Who hears of conversations: those that their events wait for, but for who hears erasures only, and the webhooks.
HEAR = {name for name in CONSUMERS if not name.endswith("-erasure")} | {WEBHOOKS}


def edges(spans: list[tuple[str, Span]]) -> Iterator[tuple[str, str, Span.SpanKind.ValueType]]:
    """Parent's service, own service and kind of every span whose parent is known."""
    service_of = {span.span_id: service for service, span in spans}
    for service, span in spans:
        if span.parent_span_id in service_of:
            yield service_of[span.parent_span_id], service, span.kind


def lineage(span: Span, by_id: Mapping[bytes, Span]) -> list[Span]:
    """A span and those that it came from, the first of them first."""
    parent = by_id.get(span.parent_span_id)
    return [span] if parent is None else [*lineage(parent, by_id), span]


def consumers(stack: Stack, trace_id: str) -> set[str]:
    """Who has processed events of a trace."""
    found = stack.sink.of(trace_id)
    return {span.name.removeprefix("process ") for _, span in found if span.kind == Span.SPAN_KIND_CONSUMER}


def test_one_trace_leads_from_the_request_to_every_consumer(whole_stack: Stack, done: Done) -> None:
    until(lambda: consumers(whole_stack, done.trace_id) == HEAR, "the consumers' spans")
    spans = whole_stack.sink.of(done.trace_id)
    by_id = {span.span_id: span for _, span in spans}
    roots = [span for _, span in spans if span.parent_span_id not in by_id]
    # the one whose parent is the customer's own program
    assert [root.name for root in roots] == ["POST /v1/<path:rest>"]
    chain = [Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CONSUMER]
    for _, span in spans:
        if span.kind == Span.SPAN_KIND_CONSUMER:
            assert [one.kind for one in lineage(span, by_id)] == chain


def test_spans_run_along_declared_edges_and_every_one_is_used(whole_stack: Stack, done: Done) -> None:
    def seen() -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        found = list(edges(list(whole_stack.sink.spans)))
        calls = {(one, other) for one, other, kind in found if kind == Span.SPAN_KIND_SERVER}
        events = {(one, other) for one, other, kind in found if kind == Span.SPAN_KIND_CONSUMER}
        return calls, events

    declared = set(DECLARED.edges), set(DECLARED.events)
    with contextlib.suppress(AssertionError):
        until(lambda: seen() == declared, "every declared edge")
    assert seen() == declared
    assert done.trace_id


def test_a_stream_is_traced_from_the_page_to_the_service(whole_stack: Stack, done: Done) -> None:
    until(lambda: len(whole_stack.sink.of(done.followed)) == 3, "the spans of a stream that has ended")
    spans = whole_stack.sink.of(done.followed)
    (last,) = [span for service, span in spans if service == "intake"]
    chain = lineage(last, {span.span_id: span for _, span in spans})
    assert [span.kind for span in chain] == [Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER]
    watch = "kefu.intake.v1.ConversationService/WatchConversation"
    assert [span.name for span in chain] == ["GET /v1/{name=sites/*/conversations/*}:watch", watch, watch]
    assert [span for _, span in spans if span.status.code == Status.STATUS_CODE_ERROR] == []


def test_a_subscription_that_all_share_is_a_trace_of_its_own(whole_stack: Stack, done: Done) -> None:
    def ended() -> list[Span]:
        called = "kefu.intake.v1.SiteService/WatchSite"
        return [span for service, span in list(whole_stack.sink.spans) if (service, span.name) == ("gateway", called)]

    # it outlives its last reader by LINGER_SECONDS
    subscription = until(ended, "the span of a subscription that has ended", seconds=hub.LINGER_SECONDS + 15)[0]
    assert (subscription.kind, subscription.parent_span_id) == (Span.SPAN_KIND_CLIENT, b"")

    def served() -> list[str]:
        return [one for one, span in list(whole_stack.sink.spans) if span.parent_span_id == subscription.span_id]

    assert until(served, "the span of who served it") == ["intake"]
    assert done.followed != subscription.trace_id.hex()


def test_every_service_gives_every_signal(whole_stack: Stack, done: Done) -> None:
    """Service × signal: spans, metrics and logs, each under the service's own name."""

    def traced() -> set[str]:
        return {service for service, span in list(whole_stack.sink.spans) if span.kind == Span.SPAN_KIND_SERVER}

    until(lambda: traced() == set(SERVICES), "spans of every service")
    scraped = {
        name: whole_stack.scrape(name)["kefu_build"].samples[0].labels["service"] for name in whole_stack.metrics
    }
    assert set(scraped) == set(SERVICES) | {"stream", "solver"}  # second processes of the gateway and of staffing
    assert set(scraped.values()) == set(SERVICES)
    for process in scraped:
        lines = [json.loads(line) for line in (whole_stack.home.logs / f"{process}.log").read_text().splitlines()]
        assert {line["service"] for line in lines} == {"staffing" if process == "solver" else process}
    assert done.trace_id


def test_attributes_hold_methods_and_routes_not_paths(whole_stack: Stack, done: Done) -> None:
    conversation = done.served.rpartition("/")[2]
    until(lambda: whole_stack.sink.of(done.trace_id), "the trace")
    assert not [span for _, span in whole_stack.sink.spans if conversation.encode() in span.SerializeToString()]
