"""`make capacity`: memory and CPU of every process at several loads, written to docs/operations/capacity.json.

The mix is that of bench_gateway (80 % reads, 20 % durable writes) through the gateway, with listening streams and open
conversations beside it. Memory counts what processes share once (PSS) and is the most that was seen; CPU is cores.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import math
import os
import platform
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from tests.bench.bench_gateway import SITE, Running, mix, running
from tests.bench.http_load import Outcome, exchange, open_loop, request
from tests.bench.memory import resident
from tests.bench.report import percentile, quick

FILE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "capacity.json"
SECONDS = 5.0 if quick() else 25.0
SAMPLE_SECONDS = 2.0
# Workload of the chart → the process that does its work here. Serving and background work share one on one machine,
# so that each of the two is measured with the other's: more than it has alone.
ROLES = {
    "intake": "intake",
    "intake-work": "intake",
    "staffing": "staffing",
    "staffing-work": "staffing",
    "crm": "crm",
    "crm-work": "crm",
    "qa": "qa",
    "qa-work": "qa",
    "gateway": "gateway",
    "gateway-work": "gateway",
    "gateway-stream": "stream",
}
# The sizing model's assumptions: what somebody at work and their customers cause in the busiest hour.
CONVERSATIONS_AN_HOUR = 12
CALLS_A_CONVERSATION = 40
STREAMS_A_PERSON = 1.2
BUSY = 0.6  # of a core that a pod is planned to use
SIZES = (50, 200, 1_000, 3_000, 10_000)


@dataclass(frozen=True, slots=True)
class Point:
    """A load: calls a second, listening streams, conversations that are open."""

    calls: float
    streams: int
    open: int


POINTS = (Point(0, 0, 0), Point(25, 100, 200), Point(50, 250, 400), Point(100, 500, 600))


@dataclass(slots=True)
class Used:
    """What a process took: MiB at most, cores on average."""

    memory: float = 0.0
    cores: float = 0.0


def seconds_of(pid: int) -> float:
    """CPU seconds of a process and all it has started."""
    process = psutil.Process(pid)
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def pids(stack: Running) -> dict[str, int]:
    """The stack's processes and the two servers that it stands on."""
    postgres = EmbeddedPostgres(stack.home.postgres).data / "postmaster.pid"
    nats = EmbeddedNats(stack.home.nats).folder / "pid"
    servers = {"postgresql": int(postgres.read_text().split()[0]), "nats": int(nats.read_text())}
    return {**stack.pids, **servers}


async def watch(watched: Mapping[str, int], used: Mapping[str, Used]) -> None:
    """Note the most memory until cancelled."""
    while True:
        for name, pid in watched.items():
            with suppress(psutil.NoSuchProcess):  # a session of the database has just ended
                used[name].memory = max(used[name].memory, await asyncio.to_thread(resident, pid))
        await asyncio.sleep(SAMPLE_SECONDS)


@asynccontextmanager
async def listening(stack: Running, number: int) -> AsyncIterator[None]:
    """So many streams of the site's live updates."""
    token = stack.issuer.service("bench", {SITE: frozenset({"frontend"})})
    ready = asyncio.Semaphore(0)

    async def listen() -> None:
        reader, writer = await asyncio.open_connection(*stack.stream)
        writer.write(request("GET", f"/v1/sites/{SITE}:watch", host=stack.host, token=token))
        await reader.readuntil(b"\r\n\r\n")
        ready.release()
        while await reader.read(65_536):
            pass

    listeners = [asyncio.create_task(listen()) for _ in range(number)]
    for _ in listeners:
        await ready.acquire()
    try:
        yield
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


async def open_more(stack: Running, number: int) -> None:
    """Open conversations that nobody takes."""

    async def some(share: range) -> None:
        reader, writer = await asyncio.open_connection(*stack.web)
        for _ in share:
            token = stack.issuer.channel(site=SITE, channel="WEB", customer=f"waiting-{uuid.uuid4().hex[:8]}")
            opening = {"channel": "CHANNEL_WEB"}
            body = json.dumps(
                {"conversation": opening, "firstMessage": "在吗", "requestId": str(uuid.uuid4())}
            ).encode()
            data = request("POST", f"/v1/sites/{SITE}/conversations", host=stack.host, token=token, body=body)
            while (await exchange(reader, writer, data))[0] != 200:  # on a busy machine: again, under its request id
                pass
        writer.close()

    await asyncio.gather(*(some(range(start, number, 8)) for start in range(8)))


async def measure(stack: Running, point: Point, draw: Any) -> dict[str, Any]:
    """One load for `SECONDS`."""
    watched = pids(stack)
    used = {name: Used() for name in watched}
    async with listening(stack, point.streams):
        before, began = {name: seconds_of(pid) for name, pid in watched.items()}, time.monotonic()
        watcher = asyncio.create_task(watch(watched, used))
        outcome = Outcome()
        if point.calls:
            outcome = await open_loop(stack.web, draw, rate=point.calls, clients=64, seconds=SECONDS)
        else:
            await asyncio.sleep(SECONDS)
        took = time.monotonic() - began
        watcher.cancel()
        for name, pid in watched.items():
            used[name].cores = (seconds_of(pid) - before[name]) / took
    return {
        "calls": point.calls,
        "streams": point.streams,
        "open": point.open,
        "answered": round(outcome.rate if outcome.took else 0.0, 1),
        "failed": sum(outcome.failed.values()),
        "p50_ms": round(percentile(outcome.answers, 0.5) * 1e3, 1) if outcome.answers else None,
        "p99_ms": round(percentile(outcome.answers, 0.99) * 1e3, 1) if outcome.answers else None,
        "processes": {
            name: {"memory_mib": round(one.memory, 1), "cores": round(one.cores, 3)} for name, one in used.items()
        },
    }


async def run(stack: Running) -> AsyncIterator[dict[str, Any]]:
    """Every point, from little to much."""
    idle, *loads = POINTS
    yield await measure(stack, idle, None)
    draw = await mix(stack)
    is_open = loads[0].open
    for point in loads:
        await open_more(stack, point.open - is_open)
        is_open = point.open
        yield await measure(stack, point, draw)


def slope(points: Sequence[Mapping[str, Any]], process: str, figure: str, cause: str) -> tuple[float, float]:
    """Least squares of a process's figure on a cause: value at zero, and more for each one of the cause."""
    xs = [float(point[cause]) for point in points]
    ys = [float(point["processes"][process][figure]) for point in points]
    line = statistics.linear_regression(xs, ys)
    return max(0.0, line.intercept), max(0.0, line.slope)


def sizing(points: Sequence[Mapping[str, Any]]) -> str:
    """A model, extrapolated from the points: cores and pods by people at work at the same time."""
    lines = [
        "| people | calls/s | streams | " + " | ".join(f"{name}: cores, pods" for name in points[0]["processes"]) + " |"
    ]
    lines.append("|" + "--:|" * (3 + len(points[0]["processes"])))
    for people in SIZES:
        calls = people * CONVERSATIONS_AN_HOUR * CALLS_A_CONVERSATION / 3600
        cells = []
        for name in points[0]["processes"]:
            base, more = slope(points, name, "cores", "answered")
            cores = base + more * calls
            pods = "" if name in ("postgresql", "nats") else f", {max(2, math.ceil(cores / BUSY))}"
            cells.append(f"{cores:.1f}{pods}")
        lines.append(f"| {people:,} | {calls:,.0f} | {people * STREAMS_A_PERSON:,.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(points: Sequence[Mapping[str, Any]]) -> str:
    """The points as Markdown: a line for each process, MiB and cores at each load."""
    heads = [f"{one['calls']:.0f}/s, {one['streams']} streams, {one['open']} open" for one in points]
    lines = [f"| process | {' | '.join(heads)} |", f"|---|{'--:|' * len(heads)}"]
    for name in points[0]["processes"]:
        used = [one["processes"][name] for one in points]
        cells = [f"{one['memory_mib'] or '–'} MiB, {one['cores']:.2f}" for one in used]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    answers = [f"{one['answered']:.0f}/s, p99 {one['p99_ms']} ms" if one["calls"] else "–" for one in points]
    return "\n".join([*lines, f"| answered | {' | '.join(answers)} |"])


async def collect(stack: Running) -> list[dict[str, Any]]:
    """Measure; each point is kept as soon as it is there."""
    points: list[dict[str, Any]] = []
    async for point in run(stack):
        points.append(point)
        if not quick():
            keep(points)
    return points


def keep(points: Sequence[Mapping[str, Any]]) -> None:
    """Write what was measured so far."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    load = round(os.getloadavg()[0], 1)
    record = {"command": "make capacity", "measured": today, "machine": machine, "load": load, "points": points}
    FILE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, write, print."""
    with running() as stack:
        points = asyncio.run(collect(stack))
    sys.stdout.write(f"{table(points)}\n\n{sizing(points)}\n")


if __name__ == "__main__":
    main()
