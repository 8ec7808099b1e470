"""Alertmanager's configuration is valid and tells the right people."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from grafana import rules

CONFIG = Path(rules.HERE) / "alertmanager.yaml"
AMTOOL = shutil.which("amtool")
needs_amtool = pytest.mark.skipif(AMTOOL is None, reason="amtool (Debian's prometheus-alertmanager) is not installed")


def amtool(*arguments: str) -> str:
    """What amtool says; fails when it is not content."""
    run = subprocess.run([str(AMTOOL), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.strip()


@needs_amtool
def test_the_configuration_is_valid() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=Watchdog", "severity=none"], "dead-man"),
        (["alertname=DatabaseSlow", "severity=page", "job=intake"], "pager"),
        (["alertname=PromiseBudgetBurn", "severity=page", "site=online-desk"], "pager"),
        (["alertname=PromiseBudgetBurn", "severity=ticket", "site=online-desk"], "tickets"),
        (["alertname=SomebodyElses"], "tickets"),
    ],
)
def test_each_alert_goes_to_whom_it_must(labels: list[str], receiver: str) -> None:
    assert amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels) == receiver


def test_inhibitions_name_alerts_that_exist() -> None:
    source = rules.read()
    known = set(source["alerts"]) | {slo["alert"] for slo in source["slos"].values()}
    for rule in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            label, _, names = matcher.partition("=")
            if label == "alertname":
                assert set(names.strip('~"').split("|")) <= known
