"""What runs, how it is, where it listens, how much memory it takes."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import psutil

from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.stack import control, health
from services.stack.home import Home
from services.stack.processes import console_url


@dataclass(frozen=True)
class Row:
    """One process; memory in MB (resident, children included), uptime in seconds."""

    name: str
    state: str
    pid: int
    memory_mb: int
    uptime_seconds: int
    restarts: int
    address: str
    metrics: str
    words: str = ""


@dataclass(frozen=True)
class Status:
    """The stack now. `running` is False when there is no supervisor."""

    running: bool
    home: str
    console: str
    rows: tuple[Row, ...]

    @property
    def well(self) -> bool:
        """Whether everything that should run does, and is well."""
        return self.running and all(row.state == "well" for row in self.rows)

    def plain(self) -> dict[str, object]:
        """For machines."""
        return {**asdict(self), "well": self.well}


def read(home: Home) -> Status:
    """Ask every process."""
    running = control.supervisor_of(home) is not None
    rows = [_postgres(home), _nats(home)]
    rows += [_child(child) for child in control.children_of(home)] if running else []
    return Status(running, str(home.folder), console_url(home), tuple(rows))


def _child(child: dict[str, object]) -> Row:
    pid, restarts = _number(child["pid"]), _number(child["restarts"])
    words = ""
    if not pid:
        state = "down"
        words = f"ended with {child['last_exit']}, is started again; log: {child['log']}"
    else:
        found = health.ask(grpc_address=str(child["grpc"]), url=str(child["http"]))
        state, words = ("well", "") if found.well else ("not well", found.words)
        if restarts:
            words = f"{words} restarted {restarts} times, last exit {child['last_exit']}".strip()
    uptime = int(time.time() - float(str(child["started_at"]))) if pid else 0
    metrics = str(child["metrics"])
    return Row(str(child["name"]), state, pid, memory_mb(pid), uptime, restarts, _address(child), metrics, words)


def _address(child: dict[str, object]) -> str:
    """Where it answers: host:port of gRPC, or the beginning of its URL."""
    asked = urlsplit(str(child["http"]))
    return str(child["grpc"]) or (f"{asked.scheme}://{asked.netloc}" if asked.netloc else "")


def _postgres(home: Home) -> Row:
    server = EmbeddedPostgres(home.postgres)
    pid_file = home.postgres / "data" / "postmaster.pid"
    running = home.postgres.exists() and server.running()
    pid = int(pid_file.read_text().splitlines()[0]) if running else 0
    return _server("PostgreSQL", pid, server.port if running else 0)


def _nats(home: Home) -> Row:
    server = EmbeddedNats(home.nats)
    running = server.running()
    return _server("NATS", int((home.nats / "pid").read_text()) if running else 0, server.port if running else 0)


def _server(name: str, pid: int, port: int) -> Row:
    state = "well" if pid else "down"
    return Row(name, state, pid, memory_mb(pid), uptime_of(pid), 0, f"127.0.0.1:{port}" if port else "", "")


def uptime_of(pid: int) -> int:
    """Seconds since a process began; 0 when it is gone."""
    try:
        return int(time.time() - psutil.Process(pid).create_time()) if pid else 0
    except psutil.Error:
        return 0


def memory_mb(pid: int) -> int:
    """Memory of a process and its children in MB; shared pages count once where the system tells (USS), else RSS."""
    total = 0
    try:
        root = psutil.Process(pid) if pid else None
        for process in [root, *root.children(recursive=True)] if root else []:
            try:
                total += process.memory_full_info().uss
            except psutil.AccessDenied:
                total += process.memory_info().rss
    except psutil.Error:
        pass
    return round(total / 1_000_000)


def _number(value: object) -> int:
    return int(str(value or 0))
