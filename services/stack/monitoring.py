"""Prometheus beside a local stack, where it is installed, and what a Grafana needs to show it.

    prometheus/prometheus.yml     scrapes every process, loads grafana/rules, keeps exemplars
    grafana/grafana.ini           an own Grafana: data source, dashboards of both languages, no sign-in

Nobody is told of alerts here: they are at Prometheus's /alerts. Routes and receivers are for an environment with people
on call (grafana/alertmanager.yaml).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from services.stack.home import Home, write_whole
from services.stack.processes import ROOT, Process, base_environment

NAME: Final = "prometheus"
GRAFANA: Final = ROOT / "grafana"
DAYS_KEPT: Final = 7
# Where a viewer of traces answers unless TRACES_URL names another: Jaeger's own port.
TRACES_URL: Final = "http://127.0.0.1:16686"
_INI: Final = """\
# Written by `kefu up`. Run Grafana with it:  {command}
[paths]
data = {folder}/data
logs = {folder}/logs
provisioning = {folder}/provisioning
[server]
http_addr = 127.0.0.1
http_port = {port}
[auth.anonymous]
enabled = true
org_role = Viewer
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[dashboards]
default_home_dashboard_path = {home_dashboard}
"""


def program() -> str | None:
    """The installed Prometheus; None where there is none."""
    return shutil.which(NAME)


def processes(home: Home, watched: Iterable[Process]) -> list[Process]:
    """Prometheus as a child of the supervisor, its files written; empty where it is not installed."""
    found = program()
    if found is None:
        return []
    folder = home.folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    targets = {one.name: one.metrics for one in watched if one.metrics}
    write_whole(folder / "prometheus.yml", yaml.safe_dump(settings(targets, GRAFANA / "rules"), sort_keys=False))
    _write_grafana(home)
    process = Process(
        name=NAME,
        command=command(found, folder, home.address(NAME)),
        environment=base_environment(home),
        http=f"{url(home)}/-/ready",
    )
    return [process]


def settings(targets: Mapping[str, str], rules: Path, *, interval: str = "5s") -> dict[str, Any]:
    """prometheus.yml: one job a process (name → host:port of its metrics), the rules of a folder."""
    jobs = [{"job_name": name, "static_configs": [{"targets": [address]}]} for name, address in targets.items()]
    pace = {"scrape_interval": interval, "evaluation_interval": interval}
    return {"global": pace, "rule_files": [f"{rules}/*.yaml"], "scrape_configs": jobs}


def command(found: str, folder: Path, address: str) -> tuple[str, ...]:
    """A Prometheus that reads `folder`/prometheus.yml and keeps its data beside it."""
    return (
        found,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--storage.tsdb.retention.time={DAYS_KEPT}d",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
        "--log.format=json",
    )


def url(home: Home) -> str:
    """Where the stack's Prometheus answers."""
    return f"http://{home.address(NAME)}"


def hint(home: Home, *, watched: bool) -> str:
    """A line for `kefu up`: how the stack is watched, or what it takes."""
    if not watched:
        return (
            "Prometheus is not installed here (Debian: apt install prometheus): with it, `kefu up` would start it too."
        )
    return f"Prometheus: {url(home)} (`make panels` prints a board). Grafana, where it is installed: {grafana(home)}"


def grafana(home: Home) -> str:
    """The command that runs a Grafana of this stack."""
    return f"grafana server --homepath /usr/share/grafana --config {home.folder / 'grafana' / 'grafana.ini'}"


def _write_grafana(home: Home) -> None:
    folder = home.folder / "grafana"
    sources, boards = folder / "provisioning" / "datasources", folder / "provisioning" / "dashboards"
    for one in (sources, boards):
        one.mkdir(parents=True, exist_ok=True)
    source = (GRAFANA / "datasource.yaml").read_text(encoding="utf-8")
    source = source.replace("$PROMETHEUS_URL", url(home))
    source = source.replace("$TRACES_URL", os.environ.get("TRACES_URL", TRACES_URL)).replace("15s", "5s")
    write_whole(sources / "kefu.yaml", source)
    providers = [
        {"name": path.name, "folder": path.name, "type": "file", "options": {"path": str(path)}}
        for path in sorted((GRAFANA / "dashboards").iterdir())
    ]
    write_whole(boards / "kefu.yaml", yaml.safe_dump({"apiVersion": 1, "providers": providers}, sort_keys=False))
    first = GRAFANA / "dashboards" / "en" / "on-call.json"
    port = home.port("grafana")
    ini = _INI.format(folder=folder, port=port, command=grafana(home), home_dashboard=first)
    write_whole(folder / "grafana.ini", ini)
