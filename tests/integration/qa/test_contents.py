"""Contents: in by parts that may come again, refused with a reason, out by ranges, held, gone with proof."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import recording_pb2 as pb
from kefu.qa.v1 import recording_service_pb2 as api

from services.kit.db import Database
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.qa.commands import retention
from services.qa.domain.content import PART_BYTES, checksum_of
from services.qa.store import deletions
from services.qa.store.objects import Objects
from tests.integration.qa.conftest import LIVE, Qa
from tests.unit.qa.test_content import MP4, box

SERVICES = ("qa",)
SHOW = MP4 + box(b"free", bytes(range(256)) * 10_000)  # 2.5 MB: three parts
END = datetime(2026, 11, 20, 13, tzinfo=UTC)


class Shelf:
    """Recordings of a live room."""

    def __init__(self, qa: Qa, database: Database) -> None:
        self.qa = qa
        self.database = database
        self.stub = qa.recordings("recorder", "frontend", LIVE)
        self.reviewer = qa.recordings("rita", "reviewer", LIVE)
        self.manager = qa.recordings("mo", "manager", LIVE)
        self._numbers = 0

    async def register(self, customer: str = "") -> pb.Recording:
        """A live session's recording, still without content."""
        self._numbers += 1
        request = api.RegisterRecordingRequest(
            parent=f"sites/{LIVE}",
            kind=pb.Recording.KIND_VIDEO,
            subject=f"sites/{LIVE}/liveSessions/s{self._numbers}",
            person="host-1",
            channel="LIVE",
        )
        request.start_time.FromDatetime(END - timedelta(hours=2))
        request.end_time.FromDatetime(END)
        made: pb.Recording = await self.stub.RegisterRecording(request)
        if customer:
            await self.database.execute(
                "UPDATE recordings SET customer = $2 WHERE recording_id = $1", id_(made), customer
            )
        return made

    async def start(self, name: str, data: bytes = SHOW, media_type: str = "video/mp4") -> api.Upload:
        """Announce a content."""
        request = api.StartUploadRequest(
            name=name, media_type=media_type, size_bytes=len(data), sha256=checksum_of(data)
        )
        found: api.Upload = await self.stub.StartUpload(request)
        return found

    async def parts(self, name: str, numbers: Iterable[int], data: bytes = SHOW) -> api.Upload:
        """Bring parts."""
        upload = api.Upload()
        for number in numbers:
            piece = data[(number - 1) * PART_BYTES : number * PART_BYTES]
            upload = await self.stub.UploadPart(
                api.UploadPartRequest(name=name, number=number, content=piece, sha256=hashlib.sha256(piece).hexdigest())
            )
        return upload

    async def bring(self, name: str, data: bytes) -> None:
        """A content of one part, announced before."""
        await self.parts(name, (1,), data)
        await self.complete(name)

    async def complete(self, name: str) -> pb.Recording:
        """End an upload."""
        made: pb.Recording = await self.stub.CompleteUpload(api.CompleteUploadRequest(name=name))
        return made

    async def shown(self, customer: str = "") -> pb.Recording:
        """A recording with its content."""
        made = await self.register(customer)
        await self.start(made.name)
        await self.parts(made.name, (1, 2, 3))
        return await self.complete(made.name)

    async def read(self, stub: Any, playback: str, offset: int = 0, length: int = 0) -> bytes:
        """A piece."""
        reply = await stub.ReadContent(api.ReadContentRequest(name=playback, offset=offset, length=length))
        return bytes(reply.piece)

    async def audited(self, name: str) -> list[str]:
        """What the audit log says of a recording."""
        rows = await self.database.fetch("SELECT action FROM kefu_audit WHERE object = $1 ORDER BY number", name)
        return [row["action"] for row in rows]


def id_(recording: pb.Recording) -> str:
    """The id of a recording."""
    return recording.name.rpartition("/")[2]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(qa: Qa, database: Database) -> AsyncIterator[Shelf]:
    yield Shelf(qa, database)


@pytest.mark.clause("LIVE-3.3.2")
async def test_a_show_comes_in_by_parts_and_is_played_by_ranges(shelf: Shelf) -> None:
    made = await shelf.register()
    upload = await shelf.start(made.name)
    assert (upload.part_bytes, upload.parts, list(upload.received)) == (PART_BYTES, 3, [])
    assert list((await shelf.parts(made.name, (3, 1))).received) == [1, 3], "in any order"
    assert list((await shelf.parts(made.name, (1,))).received) == [1, 3], "again changes nothing"
    assert list((await shelf.start(made.name)).received) == [1, 3], "after a break it says what is there"
    with pytest.raises(FailedPrecondition, match="1 parts are missing, the first is 2"):
        await shelf.complete(made.name)
    await shelf.parts(made.name, (2,))
    whole = await shelf.complete(made.name)
    assert (whole.state, whole.size_bytes) == (pb.Recording.STATE_AVAILABLE, len(SHOW))
    assert whole.expire_time.ToDatetime(UTC) == END + timedelta(days=90), "the site's retention"
    assert (await shelf.complete(made.name)).sha256 == whole.sha256, "again changes nothing"
    playback = (await shelf.reviewer.StartPlayback(api.StartPlaybackRequest(parent=made.name))).name
    pieces = [await shelf.read(shelf.reviewer, playback, at) for at in range(0, len(SHOW), PART_BYTES)]
    assert b"".join(pieces) == SHOW
    edge = PART_BYTES - 10
    assert await shelf.read(shelf.reviewer, playback, edge, 25) == SHOW[edge : edge + 25]
    assert await shelf.read(shelf.reviewer, playback, len(SHOW) - 5, 100) == SHOW[-5:]
    assert await shelf.read(shelf.reviewer, playback, len(SHOW) + 5, 100) == b""
    assert await shelf.audited(made.name) == [
        "recording.register",
        "recording.upload",
        "recording.arrive",
        "recording.play",
    ]


async def test_only_who_opened_a_playback_reads_it(shelf: Shelf) -> None:
    made = await shelf.shown()
    playback = (await shelf.reviewer.StartPlayback(api.StartPlaybackRequest(parent=made.name))).name
    with pytest.raises(PermissionDenied):
        await shelf.read(shelf.manager, playback)
    with pytest.raises(PermissionDenied):
        await shelf.qa.recordings("ann", "agent", LIVE).StartPlayback(api.StartPlaybackRequest(parent=made.name))
    await shelf.database.execute("UPDATE playbacks SET expires_at = opened_at")
    with pytest.raises(NotFound):
        await shelf.read(shelf.reviewer, playback)


async def test_nothing_readable_lies_in_the_store(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> None:
    await shelf.shown()
    stored = tmp_path_factory.getbasetemp().glob("qa*/objects/recordings/**/*")
    found = [path.read_bytes() for path in stored if path.is_file()]
    assert len(found) >= 3
    assert not any(bytes(range(64)) in each or b"ftyp" in each for each in found)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"<html><script>" * 20, "does not begin like"),
        (box(b"ftyp", b"isom") + box(b"mdat", b"\0" * 20), "lacks its index"),
        (MP4[:-7], "reaches beyond"),
    ],
)
async def test_what_is_no_whole_video_is_refused_and_may_begin_again(shelf: Shelf, data: bytes, fault: str) -> None:
    made = await shelf.register()
    await shelf.start(made.name, data)
    with pytest.raises(FailedPrecondition, match=fault):
        await shelf.bring(made.name, data)
    await shelf.start(made.name)
    await shelf.parts(made.name, (1, 2, 3))
    assert (await shelf.complete(made.name)).state == pb.Recording.STATE_AVAILABLE


async def test_a_damaged_replayed_or_foreign_part_is_refused(shelf: Shelf) -> None:
    made = await shelf.register()
    await shelf.start(made.name)
    piece = SHOW[:PART_BYTES]
    good = api.UploadPartRequest(name=made.name, number=1, content=piece, sha256=hashlib.sha256(piece).hexdigest())
    damaged = api.UploadPartRequest()
    damaged.CopyFrom(good)
    damaged.content = piece[:-1] + b"\0"
    with pytest.raises(FailedPrecondition, match="damaged on its way"):
        await shelf.stub.UploadPart(damaged)
    await shelf.stub.UploadPart(good)
    other = MP4 + b"x" * (PART_BYTES - len(MP4))
    swapped = api.UploadPartRequest(name=made.name, number=1, content=other, sha256=hashlib.sha256(other).hexdigest())
    with pytest.raises(FailedPrecondition, match="another part 1 has come before"):
        await shelf.stub.UploadPart(swapped)
    short = api.UploadPartRequest(name=made.name, number=2, content=b"x", sha256=hashlib.sha256(b"x").hexdigest())
    with pytest.raises(FailedPrecondition, match="not what was announced"):
        await shelf.stub.UploadPart(short)
    beyond = api.UploadPartRequest(name=made.name, number=4, content=b"x", sha256=short.sha256)
    with pytest.raises(FailedPrecondition, match="not what was announced"):
        await shelf.stub.UploadPart(beyond)
    with pytest.raises(FailedPrecondition, match="other content was announced"):
        await shelf.start(made.name, SHOW + b"more")
    with pytest.raises(FailedPrecondition, match="takes no audio/ogg"):
        await shelf.start(made.name, media_type="audio/ogg")
    with pytest.raises(InvalidArgument):
        await shelf.start(made.name, media_type="text/html")
    await shelf.parts(made.name, (2, 3))
    assert (await shelf.complete(made.name)).size_bytes == len(SHOW), "nothing of the good parts was lost"


async def test_a_file_of_many_boxes_is_looked_through_without_opening_its_parts_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = MP4 + b"".join(box(b"free", b"") for _ in range(20_000)) + box(b"free", bytes(2 * PART_BYTES))
    made = await shelf.register()
    await shelf.start(made.name, data)
    await shelf.parts(made.name, (1, 2, 3), data)
    opened = []
    get = Objects.get

    async def counted(self: Objects, key: str) -> bytes:
        opened.append(key)
        return await get(self, key)

    monkeypatch.setattr(Objects, "get", counted)
    assert (await shelf.complete(made.name)).state == pb.Recording.STATE_AVAILABLE
    assert len(opened) == len(set(opened))


async def test_a_content_that_is_there_is_not_replaced(shelf: Shelf) -> None:
    made = await shelf.shown()
    with pytest.raises(FailedPrecondition, match="other content"):
        await shelf.start(made.name, SHOW + b"other")
    assert list((await shelf.start(made.name)).received) == [1, 2, 3]


async def test_age_destroys_the_key_then_the_parts_and_leaves_a_proof(
    shelf: Shelf, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, held = await shelf.shown(), await shelf.shown()
    await shelf.manager.HoldRecording(api.HoldRecordingRequest(name=held.name, reason="case 12"))
    opened = (await shelf.reviewer.StartPlayback(api.StartPlaybackRequest(parent=made.name))).name
    now = database.clock.now()
    ids = [id_(made), id_(held)]
    await database.execute("UPDATE recordings SET expires_at = $2 WHERE recording_id = ANY ($1::uuid[])", ids, now)
    upload = await database.fetchval("SELECT upload FROM contents WHERE recording_id = $1", id_(made))
    assert await shelf.qa.parts.retention.expire() >= 1
    proof = await shelf.reviewer.GetDeletionProof(api.GetDeletionProofRequest(name=made.name))
    assert (proof.cause, proof.sha256, proof.parts) == ("RETENTION", made.sha256, 3)
    assert not proof.HasField("delete_time")
    assert await database.fetchval("SELECT count(*) FROM contents WHERE recording_id = $1", id_(made)) == 0
    async with database.transaction() as tx:
        await shelf.qa.parts.retention.sweep(now, tx)
    proof = await shelf.reviewer.GetDeletionProof(api.GetDeletionProofRequest(name=made.name))
    assert proof.HasField("delete_time")
    assert list(tmp_path_factory.getbasetemp().glob(f"qa*/objects/recordings/*/{upload}/*")) == []
    gone = await shelf.reviewer.GetRecording(api.GetRecordingRequest(name=made.name))
    assert (gone.state, gone.person) == (pb.Recording.STATE_EXPIRED, "host-1")
    with pytest.raises(FailedPrecondition, match="was deleted"):
        await shelf.read(shelf.reviewer, opened)
    with pytest.raises(FailedPrecondition, match="was deleted"):
        await shelf.reviewer.StartPlayback(api.StartPlaybackRequest(parent=made.name))
    kept = await shelf.reviewer.GetRecording(api.GetRecordingRequest(name=held.name))
    assert (kept.state, kept.held) == (pb.Recording.STATE_AVAILABLE, True)
    with pytest.raises(NotFound):
        await shelf.reviewer.GetDeletionProof(api.GetDeletionProofRequest(name=held.name))


async def test_one_run_destroys_all_that_is_due_however_much(shelf: Shelf, database: Database) -> None:
    made = await shelf.shown()
    await database.execute(
        """INSERT INTO recordings (site, recording_id, kind, state, subject, person, channel, queue, customer,
               started_at, ended_at, registered_at, expires_at)
           SELECT site, gen_random_uuid(), kind, 'AVAILABLE', 'many-' || n, person, channel, queue, '', started_at,
               ended_at, registered_at, ended_at
           FROM recordings, generate_series(1, $2) AS n WHERE recording_id = $1""",
        id_(made),
        2 * retention.BATCH,
    )
    async with database.transaction() as tx:
        await shelf.qa.parts.retention.sweep(tx.now, tx)
    left = "SELECT count(*) FROM recordings WHERE subject LIKE 'many-%' AND state <> 'EXPIRED'"
    assert await database.fetchval(left) == 0
    proofs = "SELECT count(*) FROM deletions JOIN recordings USING (site, recording_id) WHERE subject LIKE 'many-%'"
    assert await database.fetchval(proofs) == 2 * retention.BATCH


async def test_nothing_waits_in_the_database_for_a_slow_object_store(
    shelf: Shelf, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await shelf.shown()
    await database.execute("UPDATE recordings SET expires_at = ended_at WHERE recording_id = $1", id_(made))
    await shelf.qa.parts.retention.expire()
    seen = []

    async def slow(_self: Objects, prefix: str) -> int:
        open_ = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()"
        seen.append(await database.fetchval(f"{open_} AND datname = current_database()"))
        return 0

    monkeypatch.setattr(Objects, "delete_all", slow)
    while await shelf.qa.parts.retention.delete() == retention.DELETIONS:
        pass
    assert seen
    assert set(seen) == {0}


async def test_whoever_is_forgotten_is_forgotten_here_and_a_hold_only_delays_it(
    shelf: Shelf, database: Database
) -> None:
    made, held = await shelf.shown("fang"), await shelf.shown("fang")
    await shelf.manager.HoldRecording(api.HoldRecordingRequest(name=held.name, reason="case 13"))
    async with database.transaction(sites=[LIVE]) as tx:
        erased = await deletions.erase(tx, LIVE, ["fang"])
    assert (erased["recordings"], erased["holds"]) == (1, 1)
    proof = await shelf.reviewer.GetDeletionProof(api.GetDeletionProofRequest(name=made.name))
    assert proof.cause == "ERASURE"
    released = await shelf.manager.ReleaseRecording(api.ReleaseRecordingRequest(name=held.name))
    assert released.state == pb.Recording.STATE_EXPIRED
    left = await database.fetchval("SELECT count(*) FROM recordings WHERE customer = 'fang'")
    assert left == 0
