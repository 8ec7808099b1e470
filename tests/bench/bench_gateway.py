"""`make bench-gateway`: REST mix and SSE against the real services, each compared with its floor of the same run.

Mix: 40 % one conversation, 20 % its messages, 20 % a page of 20 conversations, 20 % a new message (a durable write).
Floor: a Flask route under the same granian that only forwards to a gRPC echo (`gateway_floor`). The ratio is taken
with a gateway in front of the same echo, so that it is the gateway that is judged and not intake and PostgreSQL.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.gateway.identity.tokens import Issuer
from services.gateway.identity.user import User
from services.kit.embedded import free_port
from services.kit.embedded.ports import is_free
from services.stack import health, infra
from services.stack.home import OFFSETS, Home
from services.stack.processes import kefu_command, processes
from tests.bench.http_load import Outcome, Shot, closed_loop, exchange, open_loop, request
from tests.bench.memory import LOADED_MIB, resident
from tests.bench.report import Report, percentile, quick

SITE = "online-desk"
NAMES = ("intake", "staffing", "crm", "qa", "gateway", "stream")
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
    environment: Mapping[str, str]
    pids: Mapping[str, int]

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
    pids: dict[str, int] = {}
    try:
        made = infra.prepare(home, *infra.start_servers(home))
        for process in processes(home, made.urls, made.nats.url):
            if process.name in NAMES:
                with (home.logs / f"{process.name}.log").open("w") as log:
                    children.append(subprocess.Popen(process.command, env=process.environment, stdout=log, stderr=log))
                pids[process.name] = children[-1].pid
                _await(process.grpc, process.http)
        gateway = next(one for one in processes(home, made.urls, made.nats.url) if one.name == "gateway")
        yield Running(home, Issuer(home.keys), gateway.environment, pids)
    finally:
        end(children)
        infra.stop_servers(home, immediate=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def floor(stack: Running) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """The forwarding route, and a gateway in front of the same echo: what transcoding itself costs."""
    echo, web, own = free_port(), free_port(), free_port()
    module = [sys.executable, "-m", "tests.bench.gateway_floor"]
    environment = {
        **stack.environment,
        "KEFU_TARGETS": f"intake=127.0.0.1:{echo}",
        "KEFU_GATEWAY_LISTEN": f"127.0.0.1:{own}",
        "KEFU_HOSTS": f"127.0.0.1:{own}",
        "KEFU_METRICS_LISTEN": "127.0.0.1:0",
        "KEFU_WITH_WORKER": "false",
    }
    children = [
        subprocess.Popen([*module, "echo", str(echo)]),
        subprocess.Popen([*module, "web", str(web), str(echo), str(THREADS)]),
        subprocess.Popen(kefu_command("serve", "gateway"), env=environment, stdout=subprocess.DEVNULL),
    ]
    try:
        _await("", f"http://127.0.0.1:{web}/")
        _await("", f"http://127.0.0.1:{own}/healthz")
        yield ("127.0.0.1", web), ("127.0.0.1", own)
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
    await staff(stack, reader, writer)
    opened: list[tuple[str, str]] = []
    send = functools.partial(request, host=stack.host)
    for number in range(CONVERSATIONS):
        token = stack.issuer.channel(site=SITE, channel="WEB", customer=f"bench-{number}")
        body = json.dumps({"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "你好"}).encode()
        data = send("POST", f"/v1/sites/{SITE}/conversations", token=token, body=body)
        status, answer = await exchange(reader, writer, data)
        assert status == 200, answer
        opened.append((json.loads(answer)["name"], token))
    await serve_all(stack, reader, writer)
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


async def staff(stack: Running, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """People with room for every conversation: the mix is about served ones, as on a normal day."""
    boss = stack.issuer.service("boss", {SITE: frozenset({"admin"})})
    people = f"/v1/sites/{SITE}/people"
    person = {"displayName": "王芳", "grade": "GRADE_SENIOR", "skills": ["GENERAL"], "capacity": 50, "certified": True}
    for number in range(CONVERSATIONS // 50 + 1):
        for path, body in [
            (f"{people}?personId=bench-{number}", person),
            (f"{people}/bench-{number}:setPresence", {"state": "STATE_AVAILABLE"}),
        ]:
            data = request("POST", path, host=stack.host, token=boss, body=json.dumps(body).encode())
            status, answer = await exchange(reader, writer, data)
            assert status == 200, answer


async def serve_all(stack: Running, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everybody accepts what they are offered, until nothing waits."""
    boss = stack.issuer.service("boss", {SITE: frozenset({"admin"})})
    states = "&".join(f"states=STATE_{state}" for state in ("NEW", "QUEUED", "ASSIGNED"))
    waiting = request("GET", f"/v1/sites/{SITE}/conversations?pageSize=200&{states}", host=stack.host, token=boss)
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        status, answer = await exchange(reader, writer, waiting)
        assert status == 200, answer
        found = json.loads(answer)["conversations"]
        if not found:
            return
        for one in found:
            if one["state"] == "STATE_ASSIGNED":
                who = User(one["assignee"], one["assignee"], "", {SITE: frozenset({"agent"})})
                path, token = f"/v1/{one['name']}:accept", stack.issuer.person(who)
                await exchange(reader, writer, request("POST", path, host=stack.host, token=token, body=b"{}"))
        await asyncio.sleep(0.2)
    sys.stdout.write(f"  {len(found)} conversations still wait\n")


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
    with floor(stack) as (forwarding, transcoding):
        plain = Shot("echo", request("POST", "/", host="bench", body=b"x" * 400))
        bare = await saturate(forwarding, plain)
        token = stack.issuer.service("bench", {SITE: frozenset({"frontend"})})
        get = request("GET", f"/v1/sites/{SITE}/conversations/1", host=f"127.0.0.1:{transcoding[1]}", token=token)
        own = await saturate(transcoding, Shot("constant", get))
    assert not own.failed, own.failed
    words = "the gateway's own part: the same echo behind it"
    report.add("transcoded call", own.rate, "calls/s", floor=bare.rate, at_least_of_floor=0.6, note=words)
    words = "with intake, PostgreSQL and the load generator on the same cores"
    report.add("REST mix beside the same floor", fast.rate, "calls/s", floor=bare.rate, note=words)


async def saturate(address: tuple[str, int], shot: Shot) -> Outcome:
    """What a server does with one kind of request, after a second of warming up."""
    await closed_loop(address, lambda: shot, clients=CLIENTS, seconds=1)
    return await closed_loop(address, lambda: shot, clients=CLIENTS, seconds=SECONDS / 2)


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
        data = request("POST", path, host=stack.host, token=customer, body=body)
        status, answer = await exchange(reader, writer, data)
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
    for name, pid in stack.pids.items():
        report.add(f"{name}, memory under load", resident(pid), "MiB", at_most=LOADED_MIB)


def main() -> int:
    """Entry point."""
    report = Report("gateway")
    with running() as stack:
        asyncio.run(run(stack, report))
    return 0 if report.finish() else 1


if __name__ == "__main__":
    sys.exit(main())
