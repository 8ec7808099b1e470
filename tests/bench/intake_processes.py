"""Intake's processes for benchmarks: a bare echo of its contract, the service, its worker, and what they stand on.

`python -m tests.bench.intake_processes echo|intake|work [FOLDER]` is one of them; `process` starts it. PostgreSQL with
fsync; servers, worker and clients are processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import nats
import uvloop
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import conversation_service_pb2_grpc as rpc
from nats.aio.client import Client

from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.kit.bus import STREAM, ensure_stream
from services.kit.ids import Ids
from tests.bench.intake_load import IN_FLIGHT, SITE, TEXT, as_

ROOT = Path(__file__).parents[2]


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
    await app.start(work=work)
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
    """Run one of them; yields its port and pid."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.intake_processes", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment, "OTEL_TRACES_SAMPLER_ARG": "0.01"},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        yield int(child.stdout.readline()), child.pid
    finally:
        child.stdin.close()
        child.wait(30)


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
    from kefu.events.v1.event_pb2 import Event, PersonChanged, PresenceChanged

    signer, new_id = TokenSigner.from_pem("test", (folder / "test.key").read_bytes()), Ids()
    people = [f"agent-{number:02}" for number in range(16)]
    agents = {person: signer.sign(person, Kind.PERSON, ttl=7200, sites={SITE: ["agent"]}) for person in people}
    client = await nats.connect(nats_url)
    jetstream = client.jetstream()
    await ensure_stream(jetstream)
    for version, person in enumerate(people, start=1):
        changed = PersonChanged(person=person, skills=["GENERAL"], capacity=50, active=True, certified=True)
        there = PresenceChanged(person=person, state="AVAILABLE")
        for event in (
            Event(id=new_id(), site=SITE, version=2 * version, person_changed=changed),
            Event(id=new_id(), site=SITE, version=2 * version + 1, presence_changed=there),
        ):
            await jetstream.publish(f"kefu.staffing.{SITE}.people", event.SerializeToString())
    await client.close()

    async def begin(number: int) -> dict[str, str]:
        customer = signer.sign(
            f"customer/{number}", Kind.CUSTOMER, ttl=7200, site=SITE, channel="WEB", customer=f"c-{number}"
        )
        opened = await stub.CreateConversation(
            api.CreateConversationRequest(
                parent=f"sites/{SITE}", conversation=pb.Conversation(channel=pb.CHANNEL_WEB), first_message=TEXT
            ),
            metadata=as_(customer),
        )
        while not opened.assignee:
            await asyncio.sleep(0.05)
            opened = await stub.GetConversation(api.GetConversationRequest(name=opened.name), metadata=as_(customer))
        agent = agents[opened.assignee]
        await stub.AcceptConversation(api.AcceptConversationRequest(name=opened.name), metadata=as_(agent))
        await stub.RecordNeed(api.RecordNeedRequest(name=opened.name, need=TEXT, source="SEARCH"), metadata=as_(agent))
        return {"name": opened.name, "customer": customer, "agent": agent, "agents": json.dumps(agents)}

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = rpc.ConversationServiceStub(channel)
        return list(await asyncio.gather(*(begin(number) for number in range(IN_FLIGHT))))


async def drained(given: dict[str, str]) -> None:
    """Wait until worker and consumers are through with what earlier rounds left: events to publish, words to index."""
    connection = await asyncpg.connect(given["database"], server_settings={"search_path": "intake", "kefu.sites": "*"})
    link = await nats.connect(given["nats"])
    try:
        while await _busy(connection, link):  # noqa: ASYNC110 - other processes do the work
            await asyncio.sleep(0.5)
    finally:
        await link.close()
        await connection.close()


async def _busy(connection: asyncpg.Connection[asyncpg.Record], link: Client) -> bool:
    events = "SELECT EXISTS (SELECT FROM kefu_outbox WHERE published_seq IS NULL)"
    words = "SELECT EXISTS (SELECT FROM search_queue)"
    for question in (events, words):
        if await connection.fetchval(question):
            return True
    consumers = await link.jetstream().consumers_info(STREAM)
    return any(one.num_pending or one.num_ack_pending for one in consumers if one.config.durable_name)


def main() -> None:
    """Be one of the processes."""
    role, *rest = sys.argv[1:]
    if role == "echo":
        uvloop.run(echo())
    else:
        uvloop.run(intake(Path(rest[0]), work=role == "work"))


if __name__ == "__main__":
    main()
