"""What a client of intake does in benchmarks, in a process of its own, and what it measures.

`python -m tests.bench.intake_load FOLDER` drives the load of FOLDER/load.json; `client` starts it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import uvloop
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import conversation_service_pb2_grpc as rpc
from kefu.intake.v1 import site_service_pb2 as site_api
from kefu.intake.v1 import site_service_pb2_grpc as site_rpc

from services.kit.ids import Ids

if TYPE_CHECKING:  # this exists only in the stubs
    from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceAsyncStub

ROOT = Path(__file__).parents[2]
SITE = "online-desk"
IN_FLIGHT = 64
TEXT = "您好，我想查一下订单什么时候发货？"

Metadata = tuple[tuple[str, str], ...]


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
        warm, spent = Measured(), time.process_time()
        await _all(work, time.perf_counter() + min(0.7, load.seconds / 4), warm)
        began = time.perf_counter()
        await _all(work, began + load.seconds, measured)
        figures = _figures(measured, time.perf_counter() - began)
        steps = len(warm.latencies) + len(measured.latencies)
        return figures | {"steps": float(steps), "cpu client": 1000 * (time.process_time() - spent) / max(steps, 1)}


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


def as_(token: str) -> Metadata:
    """Call as whoever the token names."""
    return (("authorization", f"Bearer {token}"),)


def append(stub: ConversationServiceAsyncStub, about: dict[str, str], new_id: Ids) -> Callable[[], Awaitable[None]]:
    """Customer and agent take turns."""
    turns = [as_(about["customer"]), as_(about["agent"])]
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
            await stub.ResumeConversation(request, timeout=10, metadata=as_(about["agent"]))
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
        desk, agents = as_(about["agent"]), json.loads(about["agents"])

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
                agent = as_(agents[opened.assignee or await self._place(name)])
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
        """Follow the site; from the last cursor on where a stream that fell behind was ended."""
        request = site_api.WatchSiteRequest(parent=f"sites/{SITE}", kinds=["assignment_changed"])
        while True:
            try:
                async for happened in self._site.WatchSite(request, metadata=token):
                    request.cursor = happened.cursor or request.cursor
                    self._note(happened)
            except grpc.aio.AioRpcError as error:
                if error.code() not in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}:
                    raise

    def _note(self, happened: site_api.WatchSiteResponse) -> None:
        person = happened.details.get("to_person")
        if person and happened.details.get("cause") == "ROUTED":
            place = self._place(happened.conversation)
            if not place.done():
                place.set_result(person)


def client(folder: Path, load: Load) -> dict[str, float]:
    """Run a load in a process of its own."""
    (folder / "load.json").write_text(json.dumps(load.__dict__))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.intake_load", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return dict(json.loads(done.stdout))


def median(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Each figure's median over rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def main() -> None:
    """Drive what the file says and print the figures."""
    load = Load(**json.loads((Path(sys.argv[1]) / "load.json").read_text()))
    print(json.dumps(uvloop.run(drive(load))))


if __name__ == "__main__":
    main()
