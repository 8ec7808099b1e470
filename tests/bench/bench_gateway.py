"""`make bench-gateway`: REST mix and SSE against the real services, each compared with its floor of the same run.

Mix: 40 % one conversation, 20 % its messages, 20 % a page of 20 conversations, 20 % a new message (a durable write).
Floor: a Flask route under the same granian that only forwards to a gRPC echo (`gateway_floor`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.gateway.identity.tokens import Issuer
from services.kit.embedded import free_port
from services.kit.embedded.ports import is_free
from services.stack import health, infra
from services.stack.home import OFFSETS, Home
from services.stack.processes import processes
from tests.bench.http_load import Outcome, Shot, closed_loop, exchange, open_loop, request
from tests.bench.report import Report, percentile, quick

SITE = "online-desk"
NAMES = ("intake", "staffing", "gateway", "stream")
CLIENTS = 16
CONVERSATIONS = 200
RATE = 420.0
STREAMS = 500
SECONDS = 5.0 if quick() else 30.0
START_SECONDS = 60.0
THREADS = 24


@dataclass(frozen=True)
class Running:
    """The stack under test."""

    home: Home
    issuer: Issuer

    @property
    def web(self) -> tuple[str, int]:
        """Address of the gateway."""
        return "127.0.0.1", self.home.port("console")

    @property
    def stream(self) -> tuple[str, int]:
        """Address of the SSE server."""
        return "127.0.0.1", self.home.port("stream")

    @property
    def host(self) -> str:
        """The Host header."""
        return self.home.address("console")


@contextlib.contextmanager
def running() -> Iterator[Running]:
    """Durable PostgreSQL and NATS, intake, staffing and the gateway as processes; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    home = Home(folder, free_base())
    home.logs.mkdir(parents=True)
    children: list[subprocess.Popen[bytes]] = []
    try:
        made = infra.prepare(home, *infra.start_servers(home))
        for process in processes(home, made.urls, made.nats.url):
            if process.name in NAMES:
                with (home.logs / f"{process.name}.log").open("w") as log:
                    children.append(
                        subprocess.Popen(process.command, env=process.environment, stdout=log, stderr=log)
                    )
                _await(process.grpc, process.http)
        yield Running(home, Issuer(home.keys))
    finally:
        end(children)
        infra.stop_servers(home, immediate=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def floor() -> Iterator[tuple[str, int]]:
    """The forwarding route and its echo."""
    echo, web = free_port(), free_port()
    module = [sys.executable, "-m", "tests.bench.gateway_floor"]
    children = [
        subprocess.Popen([*module, "echo", str(echo)]),
        subprocess.Popen([*module, "web", str(web), str(echo), str(THREADS)]),
    ]
    try:
        _await("", f"http://127.0.0.1:{web}/")
        yield "127.0.0.1", web
    finally:
        end(children)


def free_base() -> int:
    """A base above which nothing listens."""
    candidates = random.sample(range(20_000, 60_000, 100), 100)
    return next(base for base in candidates if all(is_free(base + offset) for offset in OFFSETS.values()))


def end(children: list[subprocess.Popen[bytes]]) -> None:
    """Stop processes."""
    for child in children:
        child.terminate()
    for child in children:
        child.wait(30)


def _await(grpc_address: str, url: str) -> None:
    limit = time.monotonic() + START_SECONDS
    while not health.ask(grpc_address=grpc_address, url=url).well:
        if time.monotonic() > limit:
            raise SystemExit(f"{grpc_address or url} did not come up")
        time.sleep(0.1)


async def mix(stack: Running) -> Callable[[], Shot]:
    """Open the conversations and return what draws the next request of the mix."""
    agent = stack.issuer.service("bench", {SITE: frozenset({"frontend"})})
    reader, writer = await asyncio.open_connection(*stack.web)
    opened: list[tuple[str, str]] = []
    send = functools.partial(request, host=stack.host)
    for number in range(CONVERSATIONS):
        token = stack.issuer.channel(site=SITE, channel="WEB", customer=f"bench-{number}")
        body = json.dumps({"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "你好"}).encode()
        data = send("POST", f"/v1/sites/{SITE}/conversations", token=token, body=body)
        status, answer = await exchange(reader, writer, data)
        assert status == 200, answer
        opened.append((json.loads(answer)["name"], token))
    writer.close()

    def draw() -> Shot:
        name, token = random.choice(opened)
        chance = random.random()
        if chance < 0.4:
            return Shot("conversation", send("GET", f"/v1/{name}", token=token))
        if chance < 0.6:
            return Shot("messages", send("GET", f"/v1/{name}/messages?pageSize=20", token=token))
        if chance < 0.8:
            return Shot("page", send("GET", f"/v1/sites/{SITE}/conversations?pageSize=20", token=agent))
        message = {"message": {"text": "什么时候发货？"}, "requestId": str(uuid.uuid4())}
        return Shot("message", send("POST", f"/v1/{name}/messages", token=token, body=json.dumps(message).encode()))

    return draw


async def rest(stack: Running, report: Report) -> None:
    """The mix at the target rate, and as fast as it goes beside the floor."""
    draw = await mix(stack)
    await closed_loop(stack.web, draw, clients=CLIENTS, seconds=2)
    steady = await open_loop(stack.web, draw, rate=RATE, clients=64, seconds=SECONDS)
    note(steady)
    report.add(f"REST mix at {RATE:.0f}/s, p99", percentile(steady.answers, 0.99) * 1e3, "ms", at_most=150)
    report.add("the same, p50", percentile(steady.answers, 0.5) * 1e3, "ms")
    report.add("the same, refused or failed", float(sum(steady.failed.values())), "answers", at_most=0)
    fast = await closed_loop(stack.web, draw, clients=CLIENTS, seconds=SECONDS)
    note(fast)
    report.add(f"REST mix, {CLIENTS} clients", fast.rate, "calls/s", at_least=RATE)
    only = functools.partial(_only, draw, "conversation")
    single = await closed_loop(stack.web, only, clients=CLIENTS, seconds=SECONDS / 2)
    with floor() as address:
        plain = Shot("echo", request("POST", "/", host="bench", body=b"x" * 600))
        await closed_loop(address, lambda: plain, clients=CLIENTS, seconds=1)
        bare = await closed_loop(address, lambda: plain, clients=CLIENTS, seconds=SECONDS / 2)
    report.add("REST mix against the forwarding route", fast.rate, "calls/s", floor=bare.rate, at_least_of_floor=0.6)
    report.add("one conversation against the forwarding route", single.rate, "calls/s", floor=bare.rate)


def _only(draw: Callable[[], Shot], kind: str) -> Shot:
    return next(shot for shot in iter(draw, None) if shot.kind == kind)


def note(outcome: Outcome) -> None:
    """Where the time went, for the log."""
    for kind, seconds in sorted(outcome.seconds.items()):
        sys.stdout.write(f"  {kind}: {len(seconds)} answers, p50 {percentile(seconds, 0.5) * 1e3:.1f} ms\n")


async def sse(stack: Running, report: Report) -> None:
    """Many listeners, conversations opened meanwhile: from the answer of the write to the last byte of each event."""
    token = stack.issuer.service("bench", {SITE: frozenset({"frontend"})})
    seen: dict[str, list[float]] = {}

    async def listen() -> None:
        reader, writer = await asyncio.open_connection(*stack.stream)
        writer.write(request("GET", f"/v1/sites/{SITE}:watch", host=stack.host, token=token))
        await reader.readuntil(b"\r\n\r\n")
        ready.release()
        async for line in reader:
            if line.startswith(b"data: ") and (name := _opened(line)):
                seen.setdefault(name, []).append(time.perf_counter())

    ready = asyncio.Semaphore(0)
    listeners = [asyncio.create_task(listen()) for _ in range(STREAMS)]
    for _ in listeners:
        await ready.acquire()
    began = await write_some(stack, int(SECONDS * 4))
    await asyncio.sleep(2.0)
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    delays = [at - start for name, start in began.items() for at in seen.get(name, [])]
    missed = len(began) * STREAMS - len(delays)
    report.add(f"event → browser, {STREAMS} streams, p99", percentile(delays, 0.99) * 1e3, "ms", at_most=1_000)
    report.add("the same, p50", percentile(delays, 0.5) * 1e3, "ms")
    report.add("events that a stream missed", float(missed), "events", at_most=0)


async def write_some(stack: Running, count: int) -> dict[str, float]:
    """Open conversations at four a second: name → when the write was answered."""
    reader, writer = await asyncio.open_connection(*stack.web)
    began: dict[str, float] = {}
    for number in range(count):
        customer = stack.issuer.channel(site=SITE, channel="WEB", customer=f"sse-{number}-{uuid.uuid4().hex[:6]}")
        body = json.dumps({"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "在吗"}).encode()
        path = f"/v1/sites/{SITE}/conversations"
        status, answer = await exchange(reader, writer, request("POST", path, host=stack.host, token=customer, body=body))
        assert status == 200, answer
        began[json.loads(answer)["name"]] = time.perf_counter()
        await asyncio.sleep(0.25)
    writer.close()
    return began


def _opened(line: bytes) -> str:
    event = json.loads(line[6:])
    first = event["kind"] == "conversation_moved" and event["details"].get("transition") == "open"
    return str(event["conversation"]) if first else ""


async def run(stack: Running, report: Report) -> None:
    """Both halves."""
    await sse(stack, report)
    await rest(stack, report)


def main() -> int:
    """Entry point."""
    report = Report("gateway")
    with running() as stack:
        asyncio.run(run(stack, report))
    return 0 if report.finish() else 1


if __name__ == "__main__":
    sys.exit(main())
