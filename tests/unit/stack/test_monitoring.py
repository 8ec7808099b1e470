from __future__ import annotations

from pathlib import Path

import pytest

from services.stack import monitoring
from services.stack.home import OFFSETS, Home
from services.stack.processes import Process

WATCHED = [Process("intake", (), {}, metrics="127.0.0.1:9"), Process("simulator", (), {})]


def test_without_prometheus_nothing_is_started_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    home = Home(tmp_path / "stack")
    assert monitoring.processes(home, WATCHED) == []
    assert not home.folder.exists()
    line = monitoring.hint(home, watched=False)
    assert "apt install prometheus" in line
    assert "\n" not in line


def test_with_prometheus_it_is_one_more_child_that_scrapes_whatever_has_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "prometheus"
    found.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    home = Home(tmp_path / "stack", 9100)
    (child,) = monitoring.processes(home, WATCHED)
    assert child.command[0] == str(found)
    assert child.http == "http://127.0.0.1:9190/-/ready"
    jobs = monitoring.settings({"intake": "127.0.0.1:9"}, monitoring.GRAFANA / "rules")
    assert (home.folder / "prometheus" / "prometheus.yml").read_text().count("job_name") == len(jobs["scrape_configs"])
    assert str(home.folder / "grafana" / "grafana.ini") in monitoring.hint(home, watched=True)
    assert (home.folder / "grafana" / "grafana.ini").stat().st_mode & 0o077 == 0


def test_every_port_of_the_table_is_another_one_below_a_hundred() -> None:
    assert len(set(OFFSETS.values())) == len(OFFSETS)
    assert max(OFFSETS.values()) < 100
