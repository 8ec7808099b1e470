"""A real Prometheus that scrapes a running stack and evaluates the committed rules."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from grafana import rules
from grafana.panels import Sample, ask
from services.kit.embedded.ports import free_port
from services.stack import monitoring
from tests.observability.stack import until

PROMETHEUS = monitoring.program()


class Prometheus:
    """Asks the server at `address`."""

    def __init__(self, address: str, http: httpx.Client) -> None:
        self.address = address
        self._http = http

    def ask(self, query: str) -> list[Sample]:
        """Present values of a query."""
        return ask(self._http, self.address, query)

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {labels["alertname"] for labels, _ in self.ask('ALERTS{alertstate="firing"}')}


@contextmanager
def scraping(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run a server; `targets` are URLs of metrics by process. It scrapes and evaluates every second."""
    assert PROMETHEUS is not None
    (folder / "rules").mkdir(parents=True)
    for name, text in rules.files(rules.read()).items():
        (folder / "rules" / name).write_text(text.replace("interval: 15s", "interval: 1s"), encoding="utf-8")
    addresses = {name: httpx.URL(url).netloc.decode() for name, url in targets.items()}
    config = monitoring.settings(addresses, folder / "rules", interval="1s")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = monitoring.command(PROMETHEUS, folder, address)
    with (folder / "log").open("wb") as log, httpx.Client(timeout=10.0, trust_env=False) as http:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        server = Prometheus(f"http://{address}", http)
        try:
            until(lambda: _ready(http, server.address), "Prometheus")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=20)


def _ready(http: httpx.Client, address: str) -> bool:
    try:
        return http.get(f"{address}/-/ready").is_success
    except httpx.HTTPError:
        return False
