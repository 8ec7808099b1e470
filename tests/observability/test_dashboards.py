"""Dashboards: made from their source, dashboard-linter's rules, two languages alike, every panel with data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana import panels, render, rules
from grafana.__main__ import DASHBOARDS
from services.stack.home import StackError
from tests.observability import promql
from tests.observability.prometheus import PROMETHEUS, Prometheus, scraping
from tests.observability.stack import promise, running, until
from tests.observability.traffic import drive

FILES = sorted(DASHBOARDS.rglob("*.json"))
SLUGS = sorted({path.stem for path in FILES})
COUNTER = re.compile(r"(_total|_count|_sum|_bucket)$")
OVER_TIME = ("rate", "increase")
# Recorded series know no job, and alerts are about what is not a process too.
WITHOUT_JOB = re.compile(r"^(slo|site):|^ALERTS$")
SIZE = 900 * 1024
EDGE_SECONDS = 5


def read(path: Path) -> dict[str, Any]:
    """One dashboard."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def targets(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Panels with each of their queries as it is asked with every variable at "all"."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"]
            for variable, value in panels.EVERYTHING.items():
                expr = expr.replace(variable, value)
            yield panel, expr


every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")


def test_the_committed_dashboards_are_made_from_their_source() -> None:
    assert {str(path.relative_to(DASHBOARDS)): path.read_text(encoding="utf-8") for path in FILES} == render.files()


def test_uids_are_unique_and_files_fit_a_config_map() -> None:
    uids = [read(path)["uid"] for path in FILES]
    assert len(set(uids)) == len(uids)
    assert max(path.stat().st_size for path in FILES) < SIZE


@every_file
def test_it_keeps_the_rules_of_dashboard_linter(path: Path) -> None:
    document = read(path)
    variables = {one["name"]: one for one in document["templating"]["list"]}
    assert document["editable"] is False
    assert [name for name, one in variables.items() if one["type"] == "datasource"] == ["datasource"]
    assert variables["job"]["allValue"] == ".+"
    for one in variables.values():
        if one["type"] == "query":
            assert one["datasource"]["uid"] == "${datasource}"
            assert (one["multi"], one["includeAll"], one["refresh"]) == (True, True, 2)
    for panel in document["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


@every_file
def test_its_queries_ask_only_for_what_is_exposed(path: Path) -> None:
    for panel, expr in targets(read(path)):
        assert promql.faults(expr) == [], panel["title"]


@every_file
def test_its_queries_match_the_job_and_rate_their_counters(path: Path) -> None:
    for panel in read(path)["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"]
            assert "[$__rate_interval]" in expr or "rate(" not in expr, panel["title"]
            plain = expr.replace("$__rate_interval", "2m")
            for selector in promql.selectors(plain):
                matched = {one.name for one in selector.matchers.matchers}
                assert WITHOUT_JOB.search(selector.name) or {"job", "namespace"} <= matched, panel["title"]
                if COUNTER.search(selector.name):
                    used = rf"({'|'.join(OVER_TIME)})\({selector.name}\{{"
                    assert re.search(used, plain), f"{panel['title']}: {selector.name} is a counter"


@every_file
def test_its_links_lead_to_dashboards_that_exist(path: Path) -> None:
    document, known = read(path), {read(one)["uid"] for one in FILES}
    assert {link["url"].removeprefix("/d/") for link in document["links"]} == {
        uid for uid in known if uid.endswith(document["uid"][-3:]) and uid != document["uid"]
    } | {document["uid"][:-3] + {"-en": "-zh", "-zh": "-en"}[document["uid"][-3:]]}
    assert all(link["keepTime"] and link["includeVars"] for link in document["links"])


@pytest.mark.parametrize("slug", SLUGS)
def test_both_languages_show_the_same(slug: str) -> None:
    def bare(language: str) -> Any:
        document = read(DASHBOARDS / language / f"{slug}.json")
        texts = {"title", "description", "label", "name", "uid", "url", "tags"}

        def strip(node: Any) -> Any:
            if isinstance(node, dict):
                return {key: strip(value) for key, value in node.items() if key not in texts}
            return [strip(one) for one in node] if isinstance(node, list) else node

        return strip(document)

    assert bare("en") == bare("zh-CN")


@pytest.mark.parametrize("path", sorted((DASHBOARDS / "zh-CN").glob("*.json")), ids=lambda path: path.stem)
def test_no_chinese_text_is_missing(path: Path) -> None:
    for panel in read(path)["panels"]:
        texts = [panel["title"]] + ([panel["description"]] if panel["type"] != "row" else [])
        assert all(re.search("[\u4e00-\u9fff]", text) or text == "CPU" for text in texts), panel["title"]


def test_deploys_are_marked_by_new_versions() -> None:
    (query,) = {one["expr"] for path in FILES for one in read(path)["annotations"]["list"] if "expr" in one}
    assert promql.faults(query) == []
    assert query == render.DEPLOYED


def test_exemplars_lead_to_traces() -> None:
    source = yaml.safe_load((rules.HERE / "datasource.yaml").read_text(encoding="utf-8"))["datasources"][0]
    assert source["jsonData"]["exemplarTraceIdDestinations"][0]["name"] == "trace_id"
    shown = [target for _, target in _exemplar_targets()]
    assert shown
    assert all("kefu_sla_total" in one or "kefu_intake_first_response" in one for one in shown)


def _exemplar_targets() -> Iterator[tuple[str, str]]:
    for path in FILES:
        for panel in read(path)["panels"]:
            yield from ((panel["title"], one["expr"]) for one in panel.get("targets", ()) if one.get("exemplar"))


def test_an_unknown_board_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(StackError, match="on-call"):
        panels.board("nothing")


@pytest.fixture(scope="module")
def prometheus(scratch: Path) -> Iterator[Prometheus]:
    """A Prometheus that watched a stack while a little of everything was done on it."""
    if PROMETHEUS is None:
        pytest.skip("Prometheus (Debian's prometheus) is not installed")
    with running(scratch / "dashboards") as stack, scraping(scratch / "prometheus", stack.metrics) as server:
        until(lambda: len(server.ask("up == 1")) == len(stack.metrics), "every process to be scraped")
        drive(stack)
        until(lambda: server.ask("kefu_intake_queue_waiting"), "the queues' figures")
        until(lambda: server.ask('rate(kefu_sla_total{outcome="breached"}[1m]) > 0'), "a second sample")
        promise(stack.profiles, EDGE_SECONDS)  # shares within a promise are known where it is an edge of the buckets
        until(lambda: server.ask(f'kefu_sla_threshold_seconds{{queue="GENERAL"}} == {EDGE_SECONDS}'), "the promise")
        until(lambda: server.ask("slo:error_budget_spent:ratio"), "the rules")
        yield server


@pytest.mark.parametrize("slug", SLUGS)
def test_every_panel_has_data(prometheus: Prometheus, slug: str) -> None:
    empty = [title for title, query in panels.queries(panels.board(slug)) if not prometheus.ask(query)]
    assert empty == []


def test_make_panels_prints_them(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROMETHEUS", prometheus.address)
    monkeypatch.setenv("LANG", "C.UTF-8")
    panels.main(["service-level"])
    printed = capsys.readouterr().out
    assert re.search(r"Promise in force +GENERAL online-desk +5\b", printed)


def test_a_breach_leads_to_its_trace(prometheus: Prometheus) -> None:
    import httpx

    query = {"query": 'kefu_sla_total{outcome="breached"}', "start": "0", "end": "9999999999"}
    reply = httpx.get(f"{prometheus.address}/api/v1/query_exemplars", params=query, trust_env=False).json()
    found = [one["labels"]["trace_id"] for series in reply["data"] for one in series["exemplars"]]
    assert found
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in found)


def test_a_deploy_is_one_mark(prometheus: Prometheus) -> None:
    marked = prometheus.ask(f"max_over_time(({render.DEPLOYED})[1h:5s])")
    assert sorted(labels["service"] for labels, _ in marked) == sorted(rules.read()["services"])
