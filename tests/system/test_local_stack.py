"""`kefu up` and what goes with it, as a newcomer uses them: twice in a row, down and up again, a port taken, reset."""

from __future__ import annotations

import configparser
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
import yaml

from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.stack import monitoring, ports
from services.stack.home import Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SECONDS = 180


class Kefu:
    """The program, run on one folder and port base."""

    def __init__(self, folder: Path, base: int) -> None:
        self.home = Home(folder / "stack", base)
        self._environment = os.environ | {"KEFU_HOME": str(self.home.folder), "KEFU_PORT_BASE": str(base)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def pids(self) -> dict[str, int]:
        return {row["name"]: row["pid"] for row in self.status()["rows"]}


@pytest.fixture
def kefu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kefu]:
    folder = tmp_path_factory.mktemp("local")
    folder.chmod(0o755)
    base = next(base for base in range(21_000, 60_000, 100) if not ports.taken(Home(folder, base)))
    program = Kefu(folder, base)
    yield program
    program.run("reset", "--yes")


def test_a_newcomer_s_evening(kefu: Kefu) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", kefu.home.port("intake")))
        taken.listen()
        refused = kefu.run("up")
    assert refused.returncode == 1
    assert f"port {kefu.home.port('intake')} (intake) is taken by" in refused.stderr
    assert "KEFU_PORT_BASE=" in refused.stderr

    first = kefu.run("up", "--json")
    assert first.returncode == 0, first.stderr
    shown = json.loads(first.stdout)
    assert shown["well"], shown["rows"]
    assert {role for role, *_ in shown["sign_in"]} == {
        "agent", "host", "operator", "supervisor", "reviewer", "planner", "manager", "engineer", "admin",
    }  # fmt: skip
    with urllib.request.urlopen(f"{shown['console']}/healthz", timeout=10) as answer:
        assert answer.status == 200
    assert all(row["memory_mb"] > 0 for row in shown["rows"])
    watched(kefu, shown)

    began = time.monotonic()
    again = kefu.run("up")
    assert again.returncode == 0, again.stderr
    assert "already running" in again.stdout
    assert kefu.pids() == {row["name"]: row["pid"] for row in shown["rows"]}
    assert time.monotonic() - began < SECONDS

    os.kill(kefu.pids()["staffing"], signal.SIGKILL)
    limit = time.monotonic() + SECONDS
    while not (found := kefu.status())["well"] or kefu.pids()["staffing"] == 0:
        assert time.monotonic() < limit, found
    restarts = {row["name"]: row["restarts"] for row in found["rows"]}
    assert restarts["staffing"] == 1
    assert kefu.run("doctor").returncode == 0

    pids = list(kefu.pids().values())
    assert kefu.run("down").returncode == 0
    assert [pid for pid in pids if _alive(pid)] == []
    assert kefu.run("status").returncode == 3

    back = kefu.run("up", "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["sign_in"] == shown["sign_in"]
    assert "demonstration data\n" in back.stderr  # nothing had to be added: the state survived

    assert kefu.run("reset", "--yes").returncode == 0
    assert not kefu.home.folder.exists()


def test_simulated_traffic_runs_marked_and_stops_at_the_switch(kefu: Kefu) -> None:
    up = kefu.run("up")
    assert up.returncode == 0, up.stderr
    ask = Rest(kefu.home)

    def simulated() -> list[dict[str, Any]]:
        found = ask("GET", "/v1/sites/online-desk/conversations").get("conversations", [])
        return [one for one in found if one.get("simulated")]

    def at_desk() -> list[dict[str, Any]]:
        people = ask("GET", "/v1/sites/online-desk/people").get("people", [])
        return [one for one in people if one["presence"]["state"] == "STATE_AVAILABLE"]

    _eventually(lambda: simulated() and at_desk())
    assert ask("GET", "/v1/simulation")["running"] is True
    assert ask("POST", "/v1/simulation:switch", {"running": False}).get("running", False) is False
    _eventually(lambda: not at_desk())
    ask("POST", "/v1/simulation:switch", {"running": True})
    _eventually(at_desk)


def watched(kefu: Kefu, shown: dict[str, Any]) -> None:
    """A Prometheus runs where one is installed: it reaches everything, has the rules, and boards can be read."""
    rows = {row["name"]: row for row in shown["rows"]}
    assert (monitoring.NAME in rows) == (monitoring.program() is not None)
    if monitoring.NAME not in rows:
        return
    prometheus = Prometheus(kefu.home)
    jobs = {name for name, row in rows.items() if row["metrics"]}
    _eventually(lambda: prometheus.jobs("up == 1") == jobs)
    assert prometheus.jobs("up") == jobs
    with urllib.request.urlopen(f"{rows[monitoring.NAME]['address']}/api/v1/rules", timeout=10) as answer:
        groups = json.load(answer)["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} >= {"Watchdog", "TargetDown"}
    _eventually(lambda: prometheus.board("on-call").count("\n") > 5)
    provisioned = kefu.home.folder / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioned / "datasources" / "kefu.yaml").read_text(encoding="utf-8"))
    assert sources["datasources"][0]["url"] == rows[monitoring.NAME]["address"]
    boards = yaml.safe_load((provisioned / "dashboards" / "kefu.yaml").read_text(encoding="utf-8"))
    assert [one["name"] for one in boards["providers"]] == ["en", "zh-CN"]
    assert all(list(Path(one["options"]["path"]).glob("*.json")) for one in boards["providers"])
    ini = configparser.ConfigParser()
    ini.read(kefu.home.folder / "grafana" / "grafana.ini", encoding="utf-8")
    assert Path(ini["dashboards"]["default_home_dashboard_path"]).is_file()


class Prometheus:
    """The stack's own, asked as on-call asks."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def jobs(self, query: str) -> set[str]:
        with urllib.request.urlopen(
            f"{monitoring.url(self._home)}/api/v1/query?query={quote(query)}", timeout=10
        ) as one:
            return {found["metric"]["job"] for found in json.load(one)["data"]["result"]}

    def board(self, name: str) -> str:
        """What `make panels` prints."""
        where = {"KEFU_HOME": str(self._home.folder), "KEFU_PORT_BASE": str(self._home.port_base)}
        done = subprocess.run(
            [sys.executable, "-m", "grafana.panels", name],
            env=os.environ | where,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return "\n".join(line for line in done.stdout.splitlines() if "–" not in line)


class Rest:
    """The REST API as an administrator of the stack, who has its signing key."""

    def __init__(self, home: Home) -> None:
        self._url = f"http://{home.address('console')}"
        private = max(home.keys.glob("*.key"))
        signer = TokenSigner.from_pem(private.stem, private.read_bytes())
        self._token = signer.sign("admin", Kind.PERSON, ttl=300, sites={"*": ["admin"]})

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


def _eventually(answer: Callable[[], object]) -> None:
    limit = time.monotonic() + 90
    while not answer():
        assert time.monotonic() < limit
        time.sleep(0.2)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
