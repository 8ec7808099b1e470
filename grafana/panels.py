"""`make panels BOARD=work`: every panel of a board with its present values, from a Prometheus.

PROMETHEUS names its address; by default that of the local stack (KEFU_PORT_BASE + 90).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from services.stack import monitoring
from services.stack.commands.table import columns
from services.stack.home import Home, StackError

DASHBOARDS: Final = Path(__file__).parent / "dashboards"
EVERYTHING: Final = {"$__rate_interval": "1m", "$job": ".+", "$namespace": ".*", "$site": ".+"}
Sample = tuple[dict[str, str], float]


def board(slug: str, language: str = "en") -> dict[str, Any]:
    """A committed dashboard. Raises StackError, naming those that there are."""
    file = DASHBOARDS / language / f"{slug}.json"
    if not file.is_file():
        known = " ".join(sorted(path.stem for path in file.parent.glob("*.json")))
        raise StackError(f"there is no board {slug!r}; there are: {known}")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def queries(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and query of every target, with every variable at "all"."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"]
            for variable, value in EVERYTHING.items():
                expr = expr.replace(variable, value)
            yield panel["title"], expr


def ask(client: httpx.Client, address: str, query: str) -> list[Sample]:
    """Present values of a query. Raises StackError when Prometheus is away or refuses it."""
    try:
        reply = client.get(f"{address}/api/v1/query", params={"query": query})
    except httpx.HTTPError as error:
        raise StackError(f"no Prometheus answers at {address}: {error}; name another with PROMETHEUS=URL") from error
    if not reply.is_success:
        raise StackError(f"{query}: {reply.text}")
    return [(one["metric"], float(one["value"][1])) for one in reply.json()["data"]["result"]]


def main(arguments: list[str]) -> None:
    """Print a board."""
    home = Home.find()
    address = os.environ.get("PROMETHEUS") or monitoring.url(home)
    language = "zh-CN" if os.environ.get("LANG", "").startswith("zh") else "en"
    rows = [("panel", "of", "now")]
    with httpx.Client(timeout=10.0, trust_env=False) as client:
        for title, query in queries(board(arguments[0] if arguments else "on-call", language)):
            found = ask(client, address, query)
            rows += [(title, " ".join(labels.values()), f"{value:.4g}") for labels, value in found] or [
                (title, "", "–")
            ]
    sys.stdout.write(columns(rows))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except StackError as error:
        sys.exit(f"kefu: {error}")
