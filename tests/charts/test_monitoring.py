"""Monitors, rules and dashboards: packed from grafana/ as they are, small enough for a ConfigMap and a release."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.helm import CHART, ENVIRONMENTS, ROOT, Release, helm, render, values_of

GRAFANA = ROOT / "grafana"
RULES = sorted((GRAFANA / "rules").glob("*.yaml"))
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*/*.json"))
CONFIG_MAP_BYTES = 900 * 1024
RELEASE_BYTES = 1024 * 1024
ALERTS = {
    "groups": [
        {
            "name": "sample",
            "rules": [
                {"record": "site:calls:rate5m", "expr": "sum by (site) (rate(calls_total[5m]))"},
                {
                    "alert": "Late",
                    "expr": "late > 0",
                    "labels": {"severity": "page"},
                    "annotations": {"a": "{{ $value }}"},
                },
                {"alert": "Quiet", "expr": "absent(calls_total)"},
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with one rules file and one dashboard in two languages, in place of what grafana/ has."""
    chart = tmp_path_factory.mktemp("sample") / "kefu"
    shutil.copytree(
        CHART, chart, ignore=lambda folder, _: {"rules", "dashboards"} if folder.endswith("files") else set()
    )
    (chart / "files" / "rules").mkdir()
    (chart / "files" / "rules" / "sample.yaml").write_text(yaml.safe_dump(ALERTS), encoding="utf-8")
    for language, title in (("zh-CN", "值班"), ("en", "On call")):
        folder = chart / "files" / "dashboards" / language
        folder.mkdir(parents=True)
        (folder / "on-call.json").write_text(json.dumps({"title": title, "legend": "{{site}}"}), encoding="utf-8")
    return chart


def monitored(chart: Path, monitoring: dict[str, Any]) -> Release:
    on = {name: {"enabled": True} | monitoring.get(name, {}) for name in ("serviceMonitor", "rules", "dashboards")}
    return helm().render(chart, {"monitoring": on})


def test_rules_and_dashboards_arrive_as_they_were_written(sample: Path) -> None:
    release = monitored(sample, {})
    assert release.of("PrometheusRule")["kefu-sample"]["spec"] == ALERTS
    maps = release.of("ConfigMap")
    for language, title in (("zh-cn", "值班"), ("en", "On call")):
        made = maps[f"kefu-on-call-{language}"]
        assert json.loads(made["data"]["on-call.json"]) == {"title": title, "legend": "{{site}}"}
        assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert maps["kefu-on-call-en"]["metadata"]["annotations"] == {"grafana_folder": "Kefu en"}


def test_alerts_can_be_left_out_and_labelled_and_keep_their_own_labels(sample: Path) -> None:
    extra = {
        "rules": {"exclude": ["Quiet"], "alertLabels": {"severity": "ticket", "team": "care"}, "labels": {"r": "1"}}
    }
    rule = monitored(sample, extra).of("PrometheusRule")["kefu-sample"]
    record, late = rule["spec"]["groups"][0]["rules"]
    assert late["labels"] == {"severity": "page", "team": "care"}
    assert "labels" not in record
    assert rule["metadata"]["labels"]["r"] == "1"


def test_one_language_alone(sample: Path) -> None:
    maps = monitored(sample, {"dashboards": {"languages": ["en"]}}).of("ConfigMap")
    assert [name for name in maps if "on-call" in name] == ["kefu-on-call-en"]


def test_the_monitor_finds_every_workload_by_the_name_of_its_metrics_port() -> None:
    release = render("prod")
    monitor = release.of("ServiceMonitor")["kefu"]["spec"]
    assert monitor["endpoints"][0]["port"] == "metrics"
    assert monitor["endpoints"][0]["honorLabels"] is False
    wanted = monitor["selector"]["matchLabels"].items()
    for name, deployment in release.of("Deployment").items():
        service = release.of("Service")[name]
        assert wanted <= service["metadata"]["labels"].items()
        ports = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        assert ports["metrics"] in {port["name"] for port in container["ports"]}


@pytest.mark.parametrize("environment", ["staging", "prod", "airgap"])
def test_everything_of_grafana_is_packed(environment: str) -> None:
    release = render(environment)
    assert len(release.of("PrometheusRule")) == len(RULES)
    packed = [one for one in release.of("ConfigMap").values() if "grafana_dashboard" in one["metadata"]["labels"]]
    sources = sorted(json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS)
    assert sorted(json.loads(text)["uid"] for one in packed for text in one["data"].values()) == sources
    assert len(set(sources)) == len(sources)


def test_names_of_dashboards_fit_and_are_unique() -> None:
    names = [path.stem + path.parent.name for path in DASHBOARDS]
    assert len(set(names)) == len(names)
    assert all(len(f"kefu-{name}-") <= 63 for name in names)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_outgrows_a_config_map_or_the_release(environment: str) -> None:
    release = render(environment)
    for name, one in release.of("ConfigMap").items():
        assert len(json.dumps(one, ensure_ascii=False).encode()) < CONFIG_MAP_BYTES, name
    # Helm keeps chart, values and manifest, gzipped and base64 twice, in a Secret of at most 1 MiB.
    chart = {str(path): path.read_text(encoding="utf-8") for path in CHART.rglob("*") if path.is_file()}
    linked = {str(path): path.read_text(encoding="utf-8") for path in (*RULES, *DASHBOARDS)}
    record = json.dumps([chart, linked, values_of(ENVIRONMENTS[environment]), release.text, release.notes])
    assert len(base64.b64encode(base64.b64encode(gzip.compress(record.encode())))) < RELEASE_BYTES
