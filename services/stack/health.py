"""Is a process well? Asked the way Kubernetes asks: grpc.health.v1, or an HTTP path that answers 200."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

POLL_SECONDS = 0.1
ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Health:
    """Whether somebody is well, and if not, what they said."""

    well: bool
    words: str = ""


def ask(*, grpc_address: str = "", url: str = "") -> Health:
    """Ask one process; one that serves nothing counts as well while it runs."""
    if grpc_address:
        return _ask_grpc(grpc_address)
    if url:
        return _ask_http(url)
    return Health(well=True)


def wait_until_well(
    children: Callable[[], Sequence[dict[str, Any]]], *, seconds: float, say: Callable[[str], None]
) -> list[str]:
    """Wait until every child that serves something is well; returns those that are not in time, with the reason."""
    limit = time.monotonic() + seconds
    well: set[str] = set()
    while True:
        waiting: dict[str, str] = {}
        for child in children():
            if child["name"] in well:
                continue
            health = ask(grpc_address=child["grpc"], url=child["http"]) if child["pid"] else Health(well=False)
            if health.well:
                well.add(child["name"])
                say(child["name"])
            else:
                waiting[child["name"]] = health.words or "does not run"
        if well and not waiting:
            return []
        if time.monotonic() > limit:
            return [f"{name}: {words}" for name, words in waiting.items()] or ["no process was started"]
        time.sleep(POLL_SECONDS)


def _ask_grpc(address: str) -> Health:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="readiness"), timeout=ASK_SECONDS
            )
        except grpc.RpcError as fault:
            return Health(well=False, words=str(getattr(fault, "details", lambda: "does not answer")()))
    if reply.status == health_pb2.HealthCheckResponse.SERVING:
        return Health(well=True)
    return Health(well=False, words="not ready (database, schema or event stream); see its log")


def _ask_http(url: str) -> Health:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:  # nobody, or somebody who speaks something else
        return Health(well=False, words=str(error))
    finally:
        connection.close()
    return Health(well=status == 200, words="" if status == 200 else f"{parts.path} answers {status}")
