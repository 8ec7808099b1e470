"""What a message costs with everything on, beside a bare echo of the same messages in the same run.

    python tests/bench/bench_intake.py            # QUICK=1 for a run under a minute
    STEADY_MINUTES=30 python tests/bench/bench_intake.py

Own processes for each server, the worker (deadlines, routing, outbox relay) and the client; PostgreSQL with fsync.
AppendMessage: token, permission, rules of the contract, idempotency, life cycle, clocks, history, outbox, metrics,
traces at 1 %; customers and agents take turns, so that every second message starts a reply clock and every other stops
it. Rounds alternate with the echo's and medians count.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import uvloop

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "protos" / "gen")]

from kefu.intake.v1 import conversation_pb2 as pb  # noqa: E402
from kefu.intake.v1 import conversation_service_pb2 as api  # noqa: E402
from kefu.intake.v1 import conversation_service_pb2_grpc as rpc  # noqa: E402
from kefu.intake.v1 import site_service_pb2 as site_api  # noqa: E402
from kefu.intake.v1 import site_service_pb2_grpc as site_rpc  # noqa: E402

from services.kit.ids import Ids  # noqa: E402
from tests.bench.memory import LOADED_MIB, resident  # noqa: E402
from tests.bench.report import Report, quick  # noqa: E402

if TYPE_CHECKING:  # this exists only in the stubs
    from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceAsyncStub

SITE = "online-desk"
IN_FLIGHT = 64
TEXT = "您好，我想查一下订单什么时候发货？"
OF_ECHO, CONVERSATION_OF_ECHO, P99_OF_ECHO = 0.45, 0.10, 4.0
STEADY_PER_SECOND, STEADY_P99_MS, STEADY_TARGET_SECONDS = 300, 80.0, 1_800.0

Metadata = tuple[tuple[str, str], ...]


# --- processes -------------------------------------------------------------------------------------------------------


async def echo() -> None:
    """The floor: the same contract, nothing behind it."""

    class Echo(rpc.ConversationServiceServicer):
        async def AppendMessage(self, request: api.AppendMessageRequest, context: Any) -> pb.Message:  # noqa: ARG002, N802
            return pb.Message(name=request.parent, text=request.message.text)

    server = grpc.aio.server()
    rpc.add_ConversationServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]  # one method will do
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await _tell(port)


async def intake(folder: Path, *, work: bool) -> None:
    """The service, or its worker."""
    from services.intake.app import build
    from services.intake.config import IntakeConfig
    from services.kit.server import ServerConfig

    given = json.loads((folder / "stack.json").read_text())
    config = IntakeConfig(
        database=given["database"],
        nats=given["nats"],
        public_keys=folder / "public",
        profiles=ROOT / "charts" / "kefu" / "profiles",
        sealing_keys=folder / "sealing.json",
        environment="test",
        server=ServerConfig(),
    )
    app = await build(config)
    await app.start(serve=not work, work=work)
    if os.environ.get("PROFILE") and not work:
        _profile(folder)
    await _tell(app.server.port)
    await app.stop(drain_seconds=0)


def _profile(folder: Path) -> None:
    import cProfile

    profile = cProfile.Profile()
    profile.enable()
    loop = asyncio.get_running_loop()

    def end() -> None:
        profile.disable()
        profile.dump_stats(folder / "profile")

    loop.call_later(float(os.environ["PROFILE"]), end)


async def _tell(port: int) -> None:
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def process(*arguments: str, **environment: str) -> Iterator[tuple[int, int]]:
    """Run a process of this file; yields its port and pid."""
    child = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "OTEL_TRACES_SAMPLER_ARG": "0.01"},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        yield int(child.stdout.readline()), child.pid
    finally:
        child.stdin.close()
        child.wait(30)


# --- the client's side -----------------------------------------------------------------------------------------------


@dataclass
class Load:
    """What a client process does and with what."""

    port: int
    seconds: float
    kind: str
    conversations: list[dict[str, str]]
    rate: float = 0.0


@dataclass
class Measured:
    """Latencies in seconds of calls that went well, and how many did not."""

    latencies: list[float] = field(default_factory=list)
    failures: int = 0


async def drive(load: Load) -> dict[str, float]:
    """Run a load and return its figures."""
    new_id = Ids()
    measured = Measured()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{load.port}") as channel:
        stub = rpc.ConversationServiceStub(channel)
        one = {"append": append, "refused": refused, "whole": Whole(channel).begin}[load.kind]
        work = [one(stub, about, new_id) for about in load.conversations[:IN_FLIGHT]]
        if load.rate:
            return await _steady(work, load, measured)
        await _all(work, time.perf_counter() + min(0.7, load.seconds / 4), Measured())
        began = time.perf_counter()
        await _all(work, began + load.seconds, measured)
        return _figures(measured, time.perf_counter() - began)


async def _all(work: list[Callable[[], Awaitable[None]]], until: float, measured: Measured) -> None:
    async def run(step: Callable[[], Awaitable[None]]) -> None:
        while time.perf_counter() < until:
            await _timed(step, measured)

    await asyncio.gather(*map(run, work))


async def _steady(work: list[Callable[[], Awaitable[None]]], load: Load, measured: Measured) -> dict[str, float]:
    """Open loop: a call is due every 1/rate s whatever became of the others; lateness counts as latency."""
    free: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
    for step in work:
        free.put_nowait(step)
    began, running = time.perf_counter(), set[asyncio.Task[None]]()
    for number in range(int(load.rate * load.seconds)):
        due = began + number / load.rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        step = await free.get()

        async def call(step: Callable[[], Awaitable[None]] = step, due: float = due) -> None:
            await _timed(step, measured, due)
            free.put_nowait(step)

        task = asyncio.create_task(call())
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return _figures(measured, time.perf_counter() - began)


async def _timed(step: Callable[[], Awaitable[None]], measured: Measured, due: float | None = None) -> None:
    began = time.perf_counter() if due is None else due
    try:
        await step()
    except grpc.aio.AioRpcError as error:
        measured.failures += 1
        if measured.failures == 1:
            print(error.code(), error.details(), file=sys.stderr)
    else:
        measured.latencies.append(time.perf_counter() - began)


def _figures(measured: Measured, elapsed: float) -> dict[str, float]:
    ordered = sorted(measured.latencies) or [0.0]
    return {
        "rate": len(measured.latencies) / elapsed,
        "p50": 1000 * ordered[len(ordered) // 2],
        "p99": 1000 * ordered[int(len(ordered) * 0.99)],
        "failures": float(measured.failures),
    }


def _as(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def append(stub: ConversationServiceAsyncStub, about: dict[str, str], new_id: Ids) -> Callable[[], Awaitable[None]]:
    """Customer and agent take turns."""
    turns = [_as(about["customer"]), _as(about["agent"])]
    message = pb.Message(kind=pb.Message.KIND_TEXT, text=TEXT)
    count = 0

    async def step() -> None:
        nonlocal count
        count += 1
        request = api.AppendMessageRequest(parent=about["name"], message=message, request_id=new_id())
        await stub.AppendMessage(request, timeout=10, metadata=turns[count % 2])

    return step


def refused(stub: ConversationServiceAsyncStub, about: dict[str, str], new_id: Ids) -> Callable[[], Awaitable[None]]:
    """Every other command is refused; the step fails if its neighbour, a good one, does."""
    good = append(stub, about, new_id)

    async def bad() -> None:
        request = api.ResumeConversationRequest(name=about["name"], request_id=new_id())
        try:
            await stub.ResumeConversation(request, timeout=10, metadata=_as(about["agent"]))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise

    async def step() -> None:
        outcomes = await asyncio.gather(good(), bad(), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    return step


class Whole:
    """Open (a customer of its own each time), be routed, take, answer, close with need and source.

    Like a desk, it learns from one stream of the site what was given to whom.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._site = site_rpc.SiteServiceStub(channel)
        self._given: dict[str, asyncio.Future[str]] = {}
        self._watching: asyncio.Task[None] | None = None

    def begin(
        self, stub: ConversationServiceAsyncStub, about: dict[str, str], new_id: Ids
    ) -> Callable[[], Awaitable[None]]:
        """One customer after the other."""
        desk, agents = _as(about["agent"]), json.loads(about["agents"])

        async def step() -> None:
            if self._watching is None:
                self._watching = asyncio.create_task(self._watch(desk))
            conversation = pb.Conversation(channel=pb.CHANNEL_WEB, external_id=new_id(), customer=new_id())
            opening = api.CreateConversationRequest(
                parent=f"sites/{SITE}", conversation=conversation, first_message=TEXT, request_id=new_id()
            )
            opened = await stub.CreateConversation(opening, timeout=10, metadata=desk)
            name = opened.name
            async with asyncio.timeout(10):
                agent = _as(agents[opened.assignee or await self._place(name)])
            del self._given[name]
            accept = api.AcceptConversationRequest(name=name, request_id=new_id())
            await stub.AcceptConversation(accept, timeout=10, metadata=agent)
            message = pb.Message(kind=pb.Message.KIND_TEXT, text=TEXT)
            reply = api.AppendMessageRequest(parent=name, message=message, request_id=new_id())
            await stub.AppendMessage(reply, timeout=10, metadata=agent)
            close = api.CloseConversationRequest(
                name=name, request_id=new_id(), summary=TEXT, need=TEXT, source="SEARCH"
            )
            close.asked_anything_else = close.farewell = True
            await stub.CloseConversation(close, timeout=10, metadata=agent)

        return step

    def _place(self, name: str) -> asyncio.Future[str]:
        return self._given.setdefault(name, asyncio.get_running_loop().create_future())

    async def _watch(self, token: Metadata) -> None:
        request = site_api.WatchSiteRequest(parent=f"sites/{SITE}")
        async for happened in self._site.WatchSite(request, metadata=token):
            person = happened.details.get("to_person") if happened.kind == "assignment_changed" else None
            if person and happened.details.get("cause") == "ROUTED":
                place = self._place(happened.conversation)
                if not place.done():
                    place.set_result(person)


# --- the run ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[dict[str, str]]:
    """PostgreSQL and NATS, durable as in production, and the files that the processes read."""
    from services.kit.crypto import Keys
    from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
    from services.kit.keys import new_key_pair
    from services.kit.testing.postgres import Databases

    postgres, bus = EmbeddedPostgres(folder / "postgres"), EmbeddedNats(folder / "nats")
    postgres.start()
    bus.start()
    try:
        database = (await Databases(postgres).clone("intake"))["intake"]
        given = {"database": database, "nats": bus.url}
        (folder / "stack.json").write_text(json.dumps(given))
        Keys.create(folder / "sealing.json", "bench")
        new_key_pair(folder, "test")
        yield given
    finally:
        postgres.stop(immediate=True)
        bus.stop(immediate=True)


async def prepare(folder: Path, nats_url: str, port: int) -> list[dict[str, str]]:
    """Staff the desk and bring `IN_FLIGHT` conversations into service, through the API."""
    import nats
    from kefu.events.v1.event_pb2 import Event, PersonChanged, PresenceChanged

    from services.kit.access import Kind
    from services.kit.auth import TokenSigner

    signer, new_id = TokenSigner.from_pem("test", (folder / "test.key").read_bytes()), Ids()
    people = [f"agent-{number:02}" for number in range(16)]
    agents = {person: signer.sign(person, Kind.PERSON, ttl=7200, sites={SITE: ["agent"]}) for person in people}
    client = await nats.connect(nats_url)
    for version, person in enumerate(people, start=1):
        changed = PersonChanged(person=person, skills=["GENERAL"], capacity=50, active=True, certified=True)
        there = PresenceChanged(person=person, state="AVAILABLE")
        for event in (
            Event(id=new_id(), site=SITE, version=2 * version, person_changed=changed),
            Event(id=new_id(), site=SITE, version=2 * version + 1, presence_changed=there),
        ):
            await client.jetstream().publish(f"kefu.staffing.{SITE}.people", event.SerializeToString())
    await client.close()

    async def begin(number: int) -> dict[str, str]:
        customer = signer.sign(
            f"customer/{number}", Kind.CUSTOMER, ttl=7200, site=SITE, channel="WEB", customer=f"c-{number}"
        )
        opened = await stub.CreateConversation(
            api.CreateConversationRequest(
                parent=f"sites/{SITE}", conversation=pb.Conversation(channel=pb.CHANNEL_WEB), first_message=TEXT
            ),
            metadata=_as(customer),
        )
        while not opened.assignee:
            await asyncio.sleep(0.05)
            opened = await stub.GetConversation(api.GetConversationRequest(name=opened.name), metadata=_as(customer))
        agent = agents[opened.assignee]
        await stub.AcceptConversation(api.AcceptConversationRequest(name=opened.name), metadata=_as(agent))
        await stub.RecordNeed(api.RecordNeedRequest(name=opened.name, need=TEXT, source="SEARCH"), metadata=_as(agent))
        return {"name": opened.name, "customer": customer, "agent": agent, "agents": json.dumps(agents)}

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = rpc.ConversationServiceStub(channel)
        return list(await asyncio.gather(*(begin(number) for number in range(IN_FLIGHT))))


def client(folder: Path, load: Load) -> dict[str, float]:
    """Run a load in a process of its own."""
    (folder / "load.json").write_text(json.dumps(load.__dict__))
    done = subprocess.run(
        [sys.executable, __file__, "drive", str(folder)], stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def cpu_seconds(pid: int) -> float:
    """User and system CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(folder: Path) -> bool:
    """All figures; whether all hold."""
    rounds, seconds, steady = (
        (2, 3.0, 10.0) if quick() else (5, 6.0, 60.0 * float(os.environ.get("STEADY_MINUTES", "1")))
    )
    report = Report("intake")
    async with stack(folder) as given:
        with process("echo") as (floor_port, _), process("intake", str(folder)) as (port, pid):
            with process("work", str(folder)) as _:
                about = await prepare(folder, given["nats"], port)
            floors, appends, used = [], [], []
            for _ in range(rounds):
                floors.append(client(folder, Load(floor_port, seconds, "append", about)))
                before = cpu_seconds(pid)
                appends.append(client(folder, Load(port, seconds, "append", about)))
                used.append((cpu_seconds(pid) - before) / seconds)
            floor = median(floors)
            done = median(appends)
            report.add("bare echo at 64 in flight", floor["rate"], "calls/s")
            report.add("bare echo p50", floor["p50"], "ms")
            report.add("bare echo p99", floor["p99"], "ms")
            report.add(
                "AppendMessage at 64 in flight", done["rate"], "calls/s", floor=floor["rate"], at_least_of_floor=OF_ECHO
            )
            report.add("AppendMessage p50", done["p50"], "ms")
            report.add("AppendMessage p99", done["p99"], "ms", at_most=P99_OF_ECHO * floor["p99"])
            report.add("AppendMessage failures", done["failures"], "calls", at_most=0)
            report.add("server process, share of a core", statistics.median(used), "ratio")
            mixed = client(folder, Load(port, seconds, "refused", about))
            report.add("good commands failed by refused neighbours", mixed["failures"], "calls", at_most=0)
            report.add("AppendMessage beside as many refused commands", mixed["rate"], "calls/s")
            with process("work", str(folder)) as _:
                relayed = client(folder, Load(port, seconds, "append", about))
                report.add(
                    "AppendMessage with worker and relay on the same cores",
                    relayed["rate"],
                    "calls/s",
                    floor=floor["rate"],
                    note="the judged rounds leave the events for later",
                )
                conversations = client(folder, Load(port, max(seconds, 6.0), "whole", about))
                report.add(
                    "whole conversations (open, route, take, answer, close)",
                    conversations["rate"],
                    "1/s",
                    floor=floor["rate"],
                    at_least_of_floor=CONVERSATION_OF_ECHO,
                )
                report.add("whole conversation p50", conversations["p50"], "ms")
                report.add("whole conversation failures", conversations["failures"], "calls", at_most=0)
                flow = client(folder, Load(port, steady, "append", about, rate=STEADY_PER_SECOND))
                report.add(f"steady for {steady:.0f} s", flow["rate"], "calls/s", at_least=0.98 * STEADY_PER_SECOND)
                report.add("steady p50", flow["p50"], "ms")
                judged = STEADY_P99_MS if steady >= STEADY_TARGET_SECONDS else None
                report.add("steady p99", flow["p99"], "ms", at_most=judged, note="judged from 30 minutes on")
                report.add("steady failures", flow["failures"], "calls", at_most=0)
            report.add("server process, memory at the end", resident(pid), "MiB", at_most=LOADED_MIB)
    return report.finish()


def median(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Each figure's median over rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def main() -> None:
    """Run the benchmark, or be one of its processes."""
    role, *rest = sys.argv[1:] or [""]
    folder = Path(rest[0]) if rest else Path()
    if role == "echo":
        uvloop.run(echo())
    elif role in {"intake", "work"}:
        uvloop.run(intake(folder, work=role == "work"))
    elif role == "drive":
        load = Load(**json.loads((folder / "load.json").read_text()))
        print(json.dumps(uvloop.run(drive(load))))
    else:
        folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
        try:
            sys.exit(0 if uvloop.run(run(folder)) else 1)
        finally:
            if keep := os.environ.get("KEEP"):
                shutil.copytree(folder, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("postgres", "nats"))
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
