"""Whether the stack's ports are free, and in plain words who has them."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from services.kit.embedded.ports import is_free
from services.stack.home import OFFSETS, Home


@dataclass(frozen=True)
class Taken:
    """A port that somebody else listens on; `holder` is empty where the system does not tell us."""

    port: int
    wanted_for: str
    holder: str

    def __str__(self) -> str:
        by = f" by {self.holder}" if self.holder else ""
        return f"port {self.port} ({self.wanted_for}) is taken{by}"


def taken(home: Home) -> list[Taken]:
    """The ports of the stack that are not free, Grafana's left out, whom we do not start."""
    wanted = [what for what in OFFSETS if what != "grafana"]
    return [Taken(home.port(what), what, holder(home.port(what))) for what in wanted if not is_free(home.port(what))]


def holder(port: int) -> str:
    """Name and pid of who listens on a port; empty when nobody does or the system does not show it to us."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        local = connection.laddr
        if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
            try:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (pid {process.pid}: {' '.join(process.cmdline())[:80]})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return ""
