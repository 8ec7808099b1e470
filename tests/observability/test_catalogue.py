"""What the running services expose is the catalogue, neither more nor less."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest
from prometheus_client.metrics_core import Metric

from services.kit.telemetry.metrics import CATALOGUE, Declared, read_catalogue
from services.policy.loader import load_bytes
from services.stack import processes
from tests.observability.stack import SITE, Stack, until
from tests.observability.traffic import Done

PROMTOOL = shutil.which("promtool")
OWNERS: Mapping[str, tuple[str, ...]] = {
    "intake": ("rpc", "process", "work", "policy", "intake"),
    "staffing": ("rpc", "process", "work", "policy", "staffing"),
    "crm": ("rpc", "process", "work", "policy", "crm"),
    "qa": ("rpc", "process", "work", "policy", "qa"),
    "gateway": ("rpc", "process", "work", "gateway"),
    "stream": ("rpc", "process", "work", "gateway"),
}
NAMED_BY_THE_ISSUE = {30, 120, 300, 600, 900, 86400}
FIRST_RESPONSE = "kefu_intake_first_response_seconds"
# Ids of conversations, people and traces; none may ever be a label.
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}|^c-|wangfang|sites/")
MOST_SERIES = 3_000

Scrapes = Mapping[str, Mapping[str, Metric]]


@pytest.fixture(scope="session")
def scrapes(whole_stack: Stack, done: Done) -> Scrapes:
    """Every process's metrics once the queues' figures are exposed."""
    until(lambda: whole_stack.scrape("intake")["kefu_intake_queue_waiting"].samples, "the queues' figures")
    return {process: whole_stack.scrape(process) for process in OWNERS}


@pytest.fixture(scope="session")
def declared() -> Mapping[str, Declared]:
    """The catalogue by the names of families: OpenMetrics writes counters and infos without their endings."""
    return {family_of(entry): entry for entry in read_catalogue(CATALOGUE).values()}


def family_of(entry: Declared) -> str:
    """The name under which a metric's samples are grouped."""
    return entry.name.removesuffix({"counter": "_total", "info": "_info"}.get(entry.type, ""))


def entries(scrapes: Scrapes, declared: Mapping[str, Declared]) -> Iterator[tuple[str, Declared, Metric]]:
    """Process, declaration and family of everything scraped."""
    for process, families in scrapes.items():
        for name, family in families.items():
            yield process, declared[name], family


def test_each_process_exposes_exactly_what_is_declared_for_it(
    scrapes: Scrapes, declared: Mapping[str, Declared]
) -> None:
    for process, families in scrapes.items():
        expected = {name for name, entry in declared.items() if entry.owner in OWNERS[process]}
        assert set(families) == expected, process


def test_promtool_finds_no_fault_in_what_is_exposed(whole_stack: Stack, done: Done) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool (Debian's prometheus) is not installed")
    for process, url in whole_stack.metrics.items():
        text = whole_stack.http.get(url).text
        judged = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (judged.returncode, judged.stdout + judged.stderr) == (0, ""), process
    assert done.trace_id


def test_every_declared_metric_has_a_value_somewhere(scrapes: Scrapes, declared: Mapping[str, Declared]) -> None:
    alive = {entry.name for _, entry, family in entries(scrapes, declared) if family.samples}
    assert alive == {entry.name for entry in declared.values()}


def test_types_labels_and_their_values_are_the_declared_ones(
    scrapes: Scrapes, declared: Mapping[str, Declared]
) -> None:
    for process, entry, family in entries(scrapes, declared):
        assert family.type == entry.type, (process, entry.name)
        for sample in family.samples:
            labels = {label: value for label, value in sample.labels.items() if label != "le"}
            assert set(labels) == set(entry.labels), (process, sample)
            for label, value in labels.items():
                allowed = entry.labels[label]
                assert allowed is None or value in allowed, (process, sample)


def test_buckets_are_the_declared_edges(scrapes: Scrapes, declared: Mapping[str, Declared]) -> None:
    for process, entry, family in entries(scrapes, declared):
        if entry.type == "histogram" and family.samples:
            edges = {float(one.labels["le"]) for one in family.samples if one.name.endswith("_bucket")}
            assert edges == {*entry.buckets, float("inf")}, (process, entry.name)


def test_every_promise_in_use_is_an_edge(declared: Mapping[str, Declared]) -> None:
    edges = set(declared[FIRST_RESPONSE].buckets)
    assert edges >= NAMED_BY_THE_ISSUE
    for file in processes.PROFILES.glob("*.yaml"):
        profile = load_bytes(file.read_bytes(), str(file)).profile
        promised = {queue.first_response_s for queue in profile.queues.values()} - {None}
        assert promised <= edges, file.name


def test_no_label_is_an_id_and_series_are_bounded(scrapes: Scrapes, declared: Mapping[str, Declared]) -> None:
    for process, families in scrapes.items():
        samples = [sample for family in families.values() for sample in family.samples]
        assert len(samples) < MOST_SERIES, process
        for sample in samples:
            assert not [value for label, value in sample.labels.items() if label != "le" and ID.search(value)], sample


def test_a_promise_is_counted_at_its_deadline_answered_or_not(done: Done) -> None:
    intake = done.intake
    outcomes = {
        (one.labels["clock"], one.labels["outcome"]): one.value
        for one in intake["kefu_sla"].samples
        if one.labels["site"] == SITE
    }
    # one never answered, one answered late: both were broken at their deadlines and neither is counted again
    assert outcomes["FIRST_RESPONSE", "breached"] == 2
    assert outcomes["FIRST_RESPONSE", "met"] == 0
    counts = {
        one.labels["queue"]: one.value
        for one in intake[FIRST_RESPONSE].samples
        if one.name.endswith("_count") and one.labels["site"] == SITE
    }
    assert counts == {"GENERAL": 1}


def test_exemplars_lead_to_the_conversation_that_broke_its_promise(done: Done) -> None:
    intake = done.intake
    (late,) = [one.exemplar for one in intake[FIRST_RESPONSE].samples if one.exemplar is not None]
    assert late.labels == {"trace_id": done.trace_id}
    assert late.value > 2
    broken = [
        one.exemplar
        for one in intake["kefu_sla"].samples
        if one.labels["outcome"] == "breached" and one.exemplar is not None
    ]
    assert broken
    assert all(re.fullmatch("[0-9a-f]{32}", one.labels["trace_id"]) for one in broken)
