"""The built service: it hears of conversations that end, and tells when content does not come."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.common.v1.clock_service_pb2 import AdvanceClockRequest
from kefu.common.v1.clock_service_pb2_grpc import ClockServiceStub
from kefu.events.v1 import event_pb2 as facts
from kefu.qa.v1 import draw_service_pb2 as draws
from kefu.qa.v1 import recording_pb2 as pb
from kefu.qa.v1 import recording_service_pb2 as api
from kefu.qa.v1.draw_service_pb2_grpc import DrawServiceStub
from kefu.qa.v1.recording_service_pb2_grpc import RecordingServiceStub

from services.kit.client import ClientChannel, Target
from services.kit.config import load
from services.kit.crypto import Keys
from services.kit.db import Database
from services.kit.testing.grpc import TestKeys
from services.kit.testing.postgres import Databases
from services.qa.app import build
from services.qa.config import QaConfig
from tests.integration.qa.conftest import LIVE, PROFILES, SITE

START = datetime(2026, 11, 2, 1, tzinfo=UTC)


class Whole:
    """A qa with its worker, in virtual time."""

    def __init__(self, channel: ClientChannel, database: Database, nats_url: str, keys: TestKeys, port: int) -> None:
        self.keys = keys
        self.address = f"127.0.0.1:{port}"
        self.channel = channel
        self.database = database
        self.recordings: Any = RecordingServiceStub(channel)
        self._nats = nats_url
        self._numbers = itertools.count(1)

    async def advance(self, to: datetime) -> None:
        """Move the clock; returns once everything due and everything told is settled."""
        at = Timestamp()
        at.FromDatetime(to)
        stub: Any = ClockServiceStub(self.channel)
        await stub.AdvanceClock(AdvanceClockRequest(to=at), timeout=60)

    async def tell(self, conversation: str, *told: tuple[str, Any], at: datetime, source: str = "intake") -> None:
        """Say what a neighbour says of a conversation."""
        link = await nats.connect(self._nats)
        try:
            for name, fact in told:
                number = next(self._numbers)
                event = facts.Event(id=f"e-{number}", source=source, site=SITE, version=number, **{name: fact})
                event.aggregate = f"sites/{SITE}/conversations/{conversation}"
                event.occurred_at.FromDatetime(at)
                await link.jetstream().publish(f"kefu.{source}.{SITE}.conversations", event.SerializeToString())
        finally:
            await link.close()

    async def conversation(self, id_: str, *, person: str = "wangfang", channel: str = "WEB", at: datetime) -> None:
        """A conversation that was served and has ended."""
        opened = facts.ConversationMoved(to_state="QUEUED", queue="PRESALES", channel=channel, customer="c-1")
        taken = facts.AssignmentChanged(to_person=person, cause="ACCEPTED", accountable=person)
        ended = facts.ConversationMoved(
            from_state="SERVING", to_state="AWAITING_RATING", queue="PRESALES", channel=channel, customer="c-1"
        )
        await self.tell(id_, ("conversation_moved", opened), ("assignment_changed", taken), at=at)
        await self.tell(id_, ("conversation_moved", ended), at=at + timedelta(minutes=5))

    async def events(self, kind: str) -> list[facts.Event]:
        """What qa told of this kind."""
        rows = await self.database.fetch("SELECT payload FROM kefu_outbox ORDER BY position")
        found = [facts.Event.FromString(row["payload"]) for row in rows]
        return [event for event in found if event.WhichOneof("fact") == kind]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(databases: Databases, nats_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with running(databases, nats_url, tmp_path_factory.mktemp("qa"), START) as made:
        yield made


@asynccontextmanager
async def running(databases: Databases, nats_url: str, folder: Path, start: datetime) -> AsyncIterator[Whole]:
    """A qa with its worker whose time begins then."""
    keys = TestKeys(folder)
    Keys.create(folder / "sealing.json", "test")
    urls = await databases.clone("qa", virtual=start)
    settings = {
        "KEFU_DATABASE_URL": urls["qa"],
        "KEFU_NATS_URL": nats_url,
        "KEFU_PUBLIC_KEYS": str(folder / "public"),
        "KEFU_PROFILES": str(PROFILES),
        "KEFU_SEALING_KEYS": str(folder / "sealing.json"),
        "KEFU_QA_OBJECTS": (folder / "objects").as_uri(),
        "KEFU_QA_SCRATCH": str(folder / "scratch"),
    }
    app = await build(load(QaConfig, settings))
    await app.start(work=True)
    try:
        async with ClientChannel(Target(f"ipv4:127.0.0.1:{app.server.port}"), token=keys.token) as opened:
            yield Whole(opened, app.database, nats_url, keys, app.server.port)
    finally:
        await app.stop(drain_seconds=0)


async def test_a_conversation_and_a_call_register_themselves_when_they_end(whole: Whole) -> None:
    await whole.conversation("c1", at=START)
    await whole.conversation("c2", channel="PHONE", person="liqiang", at=START)
    abandoned = facts.ConversationMoved(from_state="QUEUED", to_state="ABANDONED", channel="WEB")
    await whole.tell("c3", ("conversation_moved", abandoned), at=START)
    await whole.advance(START + timedelta(minutes=10))
    page = await whole.recordings.ListRecordings(api.ListRecordingsRequest(parent=f"sites/{SITE}"))
    found = {one.subject.rpartition("/")[2]: one for one in page.recordings}
    assert found.keys() & {"c1", "c2", "c3"} == {"c1", "c2"}, "nobody served whoever left before their turn"
    assert (found["c1"].kind, found["c1"].state) == (pb.Recording.KIND_TRANSCRIPT, pb.Recording.STATE_AVAILABLE)
    assert (found["c2"].kind, found["c2"].state) == (pb.Recording.KIND_AUDIO, pb.Recording.STATE_REGISTERED)
    assert (found["c1"].person, found["c1"].channel, found["c1"].queue) == ("wangfang", "WEB", "PRESALES")


async def test_what_ends_twice_is_registered_once(whole: Whole) -> None:
    await whole.conversation("again", at=START + timedelta(minutes=11))
    closed = facts.ConversationMoved(from_state="AWAITING_RATING", to_state="CLOSED", channel="WEB")
    await whole.tell("again", ("conversation_moved", closed), at=START + timedelta(minutes=20))
    await whole.advance(START + timedelta(minutes=21))
    number = "SELECT count(*) FROM recordings WHERE subject LIKE '%/again'"
    assert await whole.database.fetchval(number) == 1


async def test_a_live_session_without_its_recording_raises_an_alert(whole: Whole) -> None:
    show = f"sites/{LIVE}/liveSessions/show-1"
    request = api.RegisterRecordingRequest(
        parent=f"sites/{LIVE}", kind=pb.Recording.KIND_VIDEO, subject=show, person="host-1", channel="LIVE"
    )
    request.start_time.FromDatetime(START - timedelta(hours=2))
    request.end_time.FromDatetime(START)
    made = await whole.recordings.RegisterRecording(request)
    assert not made.missing
    await whole.advance(whole.database.clock.now() + timedelta(hours=3))
    assert (await whole.recordings.GetRecording(api.GetRecordingRequest(name=made.name))).missing
    told = [event for event in await whole.events("recording_changed") if event.aggregate == made.name]
    assert [event.recording_changed.change for event in told] == ["REGISTERED", "MISSING"]


async def test_the_content_of_a_drawn_recording_is_missed_as_well(whole: Whole) -> None:
    at = whole.database.clock.now() + timedelta(minutes=10)
    await whole.advance(at)
    await whole.conversation("drawn", channel="PHONE", at=at - timedelta(minutes=6))
    await whole.advance(at + timedelta(minutes=1))
    stub: Any = DrawServiceStub(whole.channel)
    await stub.CreateSpotCheck(draws.CreateSpotCheckRequest(parent=f"sites/{SITE}", number=50, days=1, reason="all"))
    made = await _of(whole, "drawn")
    assert (made.state, made.missing) == (pb.Recording.STATE_SAMPLED, False)
    await whole.advance(at + timedelta(hours=2))
    assert (await _of(whole, "drawn")).missing


async def test_a_recording_that_came_before_its_conversation_ended_learns_whose_it_is(whole: Whole) -> None:
    at = whole.database.clock.now() + timedelta(minutes=10)
    await whole.advance(at)
    request = api.RegisterRecordingRequest(
        parent=f"sites/{SITE}",
        kind=pb.Recording.KIND_AUDIO,
        subject=f"sites/{SITE}/conversations/early",
        person="wangfang",
        channel="PHONE",
    )
    request.start_time.FromDatetime(at - timedelta(minutes=6))
    request.end_time.FromDatetime(at - timedelta(minutes=1))
    early = await whole.recordings.RegisterRecording(request)
    await whole.conversation("early", channel="PHONE", at=at - timedelta(minutes=6))
    await whole.advance(at + timedelta(minutes=1))
    found = await _of(whole, "early")
    assert (found.name, found.queue) == (early.name, "PRESALES")
    asked = "SELECT customer FROM recordings WHERE subject LIKE '%/early'"
    assert await whole.database.fetchval(asked) == "c-1", "or it could never be forgotten"


async def _of(whole: Whole, conversation: str) -> pb.Recording:
    """The recording of a conversation."""
    page = await whole.recordings.ListRecordings(api.ListRecordingsRequest(parent=f"sites/{SITE}"))
    found: list[pb.Recording] = [one for one in page.recordings if one.subject.endswith(f"/{conversation}")]
    return found[0]
