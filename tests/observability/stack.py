"""A whole stack as `kefu up` starts it, with a collector of traces in this process and profiles to edit."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.stack import control, demo, health, infra, ports, processes
from services.stack.home import Home

SITE = "online-desk"
PROMISE_SECONDS = 2
WELL_SECONDS = 60.0
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}

T = TypeVar("T")


class Sink(trace_service_pb2_grpc.TraceServiceServicer):
    """A collector that remembers spans with the service that sent them."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the contract's name
        for resource in request.resource_spans:
            named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans.extend((named["service.name"], span) for span in scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()

    def of(self, trace_id: str) -> list[tuple[str, Span]]:
        """The spans of one trace."""
        return [(service, span) for service, span in list(self.spans) if span.trace_id.hex() == trace_id]


@dataclasses.dataclass(frozen=True)
class Stack:
    """A running stack: its folder, its editable profiles, its traces, and REST as anybody."""

    home: Home
    profiles: Path
    sink: Sink
    signer: TokenSigner
    http: httpx.Client

    def person(self, person: str, *roles: str) -> str:
        """A token of somebody at the desk."""
        return self.signer.sign(person, Kind.PERSON, ttl=600, sites={SITE: list(roles or ("agent",))}, person=person)

    def manager(self, person: str, site: str) -> str:
        """A token of a manager of another site."""
        return self.signer.sign(person, Kind.PERSON, ttl=600, sites={site: ["manager"]}, person=person)

    def customer(self, customer: str) -> str:
        """A customer's channel token."""
        return self.signer.sign(customer, Kind.CUSTOMER, ttl=600, site=SITE, channel="WEB", customer=customer)

    def rest(self, verb: str, path: str, token: str, body: Any = None, **headers: str) -> Any:
        """One call under /v1; the JSON of the answer, which must be a success."""
        reply = self.ask(verb, path, token, body, **headers)
        assert reply.is_success, f"{verb} {path}: {reply.status_code} {reply.text}"
        return reply.json()

    def ask(self, verb: str, path: str, token: str, body: Any = None, **headers: str) -> httpx.Response:
        """One call under /v1, whatever its answer."""
        named = {"Authorization": f"Bearer {token}", **headers}
        return self.http.request(verb, f"{self.console}/v1/{path}", json=body, headers=named)

    @property
    def console(self) -> str:
        """The gateway's URL."""
        return processes.console_url(self.home)

    @property
    def metrics(self) -> Mapping[str, str]:
        """Process → URL of its metrics."""
        found = control.children_of(self.home)
        return {str(one["name"]): f"http://{one['metrics']}/metrics" for one in found if one["metrics"]}

    def scrape(self, process: str) -> dict[str, Metric]:
        """Family name → family, as a process exposes it in OpenMetrics with exemplars."""
        text = self.http.get(self.metrics[process], headers=OPENMETRICS).text
        return {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]

    def sample(self, process: str, name: str, **labels: str) -> float:
        """One sample's value, 0 where it is not there."""
        family = self.scrape(process).get(re.sub("_(total|count|sum|bucket|info)$", "", name))
        samples = family.samples if family is not None else []
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def until(condition: Callable[[], T], what: str, *, seconds: float = 20.0) -> T:
    """Poll until a condition gives something true, and return that."""
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.1)  # a poll, not a wait for time to pass
    return found


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start a stack in `folder` and end it afterwards."""
    home = Home(folder / "stack", free_base())
    home.folder.mkdir(parents=True)
    home.note(port_base=home.port_base)
    profiles = short_promises(folder / "profiles")
    with collecting() as (sink, port):
        traced = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "KEFU_PROFILES": str(profiles),
            "KEFU_CRM_LIABILITY_SECONDS": "1",
        }
        try:
            with ThreadPoolExecutor(1) as beside:  # it runs event loops of its own, and pytest has one in this thread
                beside.submit(_start, home, traced).result()
            private = max(home.keys.glob("*.key"))
            signer = TokenSigner.from_pem(private.stem, private.read_bytes())
            with httpx.Client(timeout=20.0, trust_env=False) as http:
                yield Stack(home, profiles, sink, signer, http)
        finally:
            control.stop(home)
            infra.stop_servers(home, immediate=True)


@contextmanager
def collecting() -> Iterator[tuple[Sink, int]]:
    """A collector in this process, and the port that it listens on."""
    server = grpc.server(ThreadPoolExecutor(2))
    sink = Sink()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(sink, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield sink, port
    finally:
        server.stop(None).wait()


def _start(home: Home, settings: Mapping[str, str]) -> None:
    postgres, nats = infra.start_servers(home, durable=False)
    ready = infra.prepare(home, postgres, nats)
    plan = [
        dataclasses.replace(one, environment={**one.environment, **settings})
        for one in processes.processes(home, ready.urls, nats.url)
        if one.name != processes.SIMULATOR
    ]
    with warnings.catch_warnings():  # the supervisor outlives the object that started it, as is meant
        warnings.simplefilter("ignore", ResourceWarning)
        control.start(home, plan)
    late = health.wait_until_well(lambda: control.children_of(home), seconds=WELL_SECONDS, say=lambda _: None)
    if late:
        logs = "\n".join(f"== {path.name}\n{control.tail(path, 30)}" for path in home.logs.glob("*.log"))
        raise RuntimeError(f"not well: {late}\n{logs}")
    demo.load(home, lambda _: None)


def short_promises(folder: Path) -> Path:
    """The demonstration profiles, with a first response that a test can wait for."""
    shutil.copytree(processes.PROFILES, folder)
    promise(folder, PROMISE_SECONDS)
    return folder


def promise(folder: Path, seconds: int) -> None:
    """Write another first response of the online desk."""
    file = folder / f"{SITE}.yaml"
    short = f'default: {{value: {seconds}, origin: site, reason: "A test cannot wait longer"}}'
    text, count = re.subn(
        r"(?<=first_response_s:\n    )default: [^\n]+", short, file.read_text(encoding="utf-8"), count=1
    )
    assert count == 1, "the online desk promises its first response otherwise than this test expects"
    draft = folder / ".draft"
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def free_base() -> int:
    """A base above which every port of the stack is free, below those that the system hands out by itself."""
    first = 12_000 + os.getpid() % 150 * 100
    return next(base for base in range(first, 32_000, 100) if not ports.taken(Home(Path(), base)))
