"""Rules come from slo.yaml, ask only for what is exposed, and each alert fires, stays silent and resolves."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana import rules
from services.stack.home import SERVICES
from tests.observability import promql

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "alerts.yaml").read_text(encoding="utf-8"))
ROOT = Path(__file__).resolve().parents[2]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed")


@functools.cache
def every_rule() -> list[dict[str, Any]]:
    """Every rule of every file, in order."""
    files = rules.files(rules.read()).values()
    return [rule for text in files for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


ALERTS = [rule for rule in every_rule() if "alert" in rule]


def test_the_committed_rules_are_made_from_their_source() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in rules.RULES.iterdir()} == rules.files(rules.read())


def test_every_service_is_watched() -> None:
    assert rules.read()["services"] == list(SERVICES)


@pytest.mark.parametrize("rule", every_rule(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_only_for_what_is_exposed(rule: dict[str, Any]) -> None:
    assert promql.faults(rule["expr"]) == []


@pytest.mark.parametrize("expression", ['nothing_total{job="a"}', 'kefu_sla_total{outcome="mett"}', 'up{colour="red"}'])
def test_what_nothing_exposes_is_found(expression: str) -> None:
    assert promql.faults(f"sum(rate({expression}[5m]))")


@pytest.mark.parametrize("percent", [50, 70, 80, 83, 90, 93, 95, 99, 99.9, 99.99])
def test_an_objective_that_could_never_page_is_refused(percent: float) -> None:
    source = rules.read()
    slo = source["slos"]["rpc-errors"] | {"objective": percent / 100}
    document = source | {"slos": {"one": slo}}
    if 14.4 * (1 - percent / 100) >= 0.95:
        with pytest.raises(rules.SloError, match="slices of time"):
            rules.files(document)
    else:
        assert rules.files(document)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_say_how_bad_what_and_what_to_do(rule: dict[str, Any]) -> None:
    name, notes = rule["alert"], rule["annotations"]
    assert name.isalnum()
    assert name[0].isupper()
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    assert notes["summary"] != notes["summary_zh"]
    assert (ROOT / notes["runbook_url"]).is_file()
    assert (ROOT / notes["runbook_url_zh"]).is_file()


def test_every_alert_has_its_case() -> None:
    assert set(CASES) | {"Watchdog"} == {rule["alert"] for rule in ALERTS}


@needs_promtool
@pytest.mark.parametrize("alert", CASES)
def test_it_fires_stays_silent_and_resolves(alert: str, tmp_path: Path) -> None:
    case = CASES[alert]
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
    moments = [(case["silent"], False), (case["fires"], True), (case["resolves"], False)]
    tests = [
        _unit(case["series"], [(firing, when, fires) for when, fires in moments]),
        _unit(case["quiet"], [(firing, f"{minute}m", False) for minute in range(2, 26)]),
    ]
    _promtool(tests, _behind(alert), tmp_path, every=case.get("every", "15s"))


@needs_promtool
def test_the_watchdog_always_fires(tmp_path: Path) -> None:
    firing = 'count(ALERTS{alertname="Watchdog",alertstate="firing"})'
    _promtool([_unit({"nothing": "0x9"}, [(firing, "1m", True), (firing, "2h", True)])], _behind("Watchdog"), tmp_path)


@needs_promtool
def test_the_unanswered_count_against_the_service_level(tmp_path: Path) -> None:
    """Nobody answers: the histogram of answers is empty, and the service level is 0, not absent."""
    broken = {'kefu_sla_total{site="desk",clock="FIRST_RESPONSE",outcome="breached"}': "0+2x100"}
    level = "site:kefu_promises_kept:ratio15m or site:kefu_promises_due:increase15m > bool 1e9"
    _promtool([_unit(broken, [(f"count({level})", "20m", True)])], every_rule(), tmp_path)


def _unit(series: dict[str, str], checks: list[tuple[str, str, bool]]) -> dict[str, Any]:
    expected = [
        {"expr": expr, "eval_time": when, "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}
        for expr, when, fires in checks
    ]
    return {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": expected,
    }


def _behind(alert: str) -> list[dict[str, Any]]:
    """The rules of an alert and the recordings that they are made of, in order; no others bear on whether it fires."""
    needed: list[dict[str, Any]] = []
    for rule in reversed(every_rule()):  # what is recorded comes before what asks for it
        if rule.get("alert") == alert or any(_asks(other, rule) for other in needed):
            needed.insert(0, rule)
    return needed


def _asks(rule: dict[str, Any], recording: dict[str, Any]) -> bool:
    objective = recording.get("labels", {}).get("slo")
    return (
        "record" in recording
        and re.search(rf"{recording['record']}\b", rule["expr"]) is not None
        and objective in (None, rule.get("labels", {}).get("slo"))
    )


def _promtool(tests: list[dict[str, Any]], judged: list[dict[str, Any]], folder: Path, *, every: str = "15s") -> None:
    assert PROMTOOL is not None
    groups = [{"name": "judged", "rules": judged}]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}, allow_unicode=True), encoding="utf-8")
    suite = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": every,
        "tests": tests,
    }
    file = folder / "suite.yaml"
    file.write_text(yaml.safe_dump(suite), encoding="utf-8")
    run = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
