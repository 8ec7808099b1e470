"""Backups of the embedded PostgreSQL: back to any instant, exactly; and what is no good is refused in plain words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from kefu.events.v1.event_pb2 import ConversationMoved, Event

from services.kit import bus
from services.kit.db import Database, Transaction
from services.kit.embedded import EmbeddedError, EmbeddedPostgres
from services.kit.embedded.backup import Archiver, Backups, archiver, settle
from services.kit.inbox import Consumer
from services.kit.relay import Relay
from services.kit.testing.nats import empty
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[EmbeddedPostgres]:
    """A server as the local stack has it: durable."""
    server = EmbeddedPostgres(scratch / "backed-up")
    server.start()
    yield server
    server.stop(immediate=True)


@pytest.fixture
def own_server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own: one archives into one folder, and another folder would take `backups`' segments."""
    server = EmbeddedPostgres(folder / "own")
    server.start()
    yield server
    server.stop(immediate=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def backups(server: EmbeddedPostgres, scratch: Path) -> Backups:
    """One base backup, and everything since."""
    backups = Backups(scratch / "backups")
    await backups.take(server)
    return backups


@pytest.fixture
def folder(scratch: Path, tmp_path: Path) -> Path:
    """A folder of the test's own that PostgreSQL's account may pass through."""
    return scratch / tmp_path.name


@pytest.fixture
def other(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A folder to restore into."""
    other = EmbeddedPostgres(folder / "other", durable=False)
    other.folder.mkdir(parents=True)
    yield other
    other.stop(immediate=True)


def restore(
    backups: Backups, server: EmbeddedPostgres, other: EmbeddedPostgres, instant: datetime | None = None
) -> None:
    """Restore a server's backup elsewhere, with its passwords."""
    (other.folder / "secrets.json").write_text((server.folder / "secrets.json").read_text())
    backups.restore(other, instant)


async def ask(server: EmbeddedPostgres, query: str, database: str = "postgres") -> object:
    connection = await asyncpg.connect(server.dsn(database))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def note(server: EmbeddedPostgres, number: int) -> datetime:
    """Write a row; returns an instant after its commit and before any later one."""
    await ask(server, f"INSERT INTO noted VALUES ({number})")
    instant = await ask(server, "SELECT clock_timestamp()")
    assert isinstance(instant, datetime)
    return instant


async def test_any_instant_comes_back_exactly(
    server: EmbeddedPostgres, backups: Backups, other: EmbeddedPostgres, folder: Path
) -> None:
    await ask(server, "CREATE TABLE noted (number integer)")
    instants = [await note(server, number) for number in range(3)]
    await backups.take(server)  # an instant before it is reached from the one before
    await note(server, 3)
    await settle(server)
    restore(backups, server, other, instants[1])
    assert await ask(other, "SELECT array_agg(number ORDER BY number) FROM noted") == [0, 1]
    assert await ask(other, "SELECT pg_is_in_recovery()") is False
    assert (await archiver(server)).on
    assert not (await archiver(other)).on
    other.stop()
    other.start()  # it is an ordinary server from now on
    assert await ask(other, "SELECT count(*) FROM noted") == 2
    latest = EmbeddedPostgres(folder / "latest", durable=False)
    latest.folder.mkdir(parents=True)
    try:
        restore(backups, server, latest)
        assert await ask(latest, "SELECT count(*) FROM noted") == 4
    finally:
        latest.stop(immediate=True)


async def test_what_cannot_be_restored_says_why(
    server: EmbeddedPostgres, backups: Backups, other: EmbeddedPostgres
) -> None:
    first = backups.bases()[0].ended_at
    with pytest.raises(EmbeddedError, match=r"no base backup .* there are: 20"):
        backups.restore(other, first - timedelta(seconds=1))
    with pytest.raises(EmbeddedError, match="holds data; move it away first"):
        backups.restore(server)
    with pytest.raises(EmbeddedError, match="ends before"):
        backups.restore(other, first + timedelta(days=1))


async def test_a_damaged_backup_is_noticed_before_anything_is_done(
    own_server: EmbeddedPostgres, other: EmbeddedPostgres, folder: Path
) -> None:
    bad = Backups(folder / "bad")
    base = await bad.take(own_server)
    victim = max((base.path / "base").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    with pytest.raises(EmbeddedError, match=r"is damaged: base/.* has another checksum"):
        bad.restore(other)
    assert not other.data.exists()


@pytest.mark.parametrize(("archived", "failed", "failing"), [(None, None, 0), (1, None, 0), (2, 1, 0), (1, 2, 1)])
def test_an_archive_whose_last_try_failed_is_seen(archived: int | None, failed: int | None, failing: bool) -> None:
    instants = [None if hour is None else datetime(2026, 11, 25, hour, tzinfo=UTC) for hour in (archived, failed)]
    assert Archiver(True, *instants).failing == bool(failing)


async def test_older_backups_go_with_what_only_they_need(
    own_server: EmbeddedPostgres, other: EmbeddedPostgres, folder: Path
) -> None:
    backups = Backups(folder / "kept")
    for _ in range(3):
        await backups.take(own_server)
        await settle(own_server)
    before = len(list((folder / "kept" / "wal").glob("*.gz")))
    gone = backups.keep(own_server, 1)
    assert len(gone) == 2
    assert 0 < len(list((folder / "kept" / "wal").glob("*.gz"))) < before
    restore(backups, own_server, other)


def moved(version: int) -> Event:
    event = Event(site="desk", aggregate="sites/desk/conversations/one", version=version)
    event.conversation_moved.CopyFrom(ConversationMoved(to_state="OPEN"))
    return event


class Seen:
    """A handler that stores versions, and waits with those above `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    async def __call__(self, event: Event, tx: Transaction) -> None:
        if event.version > self.limit:
            raise TimeoutError
        await tx.execute("INSERT INTO seen VALUES ($1)", event.version)


async def seen(database: Database) -> list[int]:
    return [row[0] for row in await database.fetch("SELECT version FROM seen ORDER BY version")]


async def test_events_on_their_way_at_that_instant_arrive_once_from_a_stream_made_anew(
    server: EmbeddedPostgres, backups: Backups, other: EmbeddedPostgres, nats_url: str
) -> None:
    url = (await Databases(server).clone("kit"))["kit"]
    await backups.take(server)
    database = Database(url, "kit")
    await database.open()
    await database.execute("CREATE TABLE seen (version bigint)")
    async with database.transaction() as tx:
        tx.publish(*(moved(version) for version in range(1, 6)))

    handler = Seen(limit=3)
    works = _work(database, nats_url, handler)
    await eventually(lambda: _sees(database, [1, 2, 3]))
    await eventually(lambda: _published(database))
    instant = await ask(server, "SELECT clock_timestamp()")
    assert isinstance(instant, datetime)
    handler.limit = 9
    await eventually(lambda: _sees(database, [1, 2, 3, 4, 5]))
    async with database.transaction() as tx:
        tx.publish(moved(6))  # will never have happened
    await eventually(lambda: _sees(database, [1, 2, 3, 4, 5, 6]))
    await eventually(lambda: _all_acknowledged(nats_url))
    await _end(works)
    await database.close()
    await settle(server)

    restore(backups, server, other, instant)
    restored = Database(other.dsn(url.rpartition("/")[2], user="kefu_kit"), "kit")
    await restored.open()
    try:
        # with the old stream, 4 and 5 would be lost: their consumer had them in a future that is no more
        assert await seen(restored) == [1, 2, 3]
        assert await _all_acknowledged(nats_url)
        await empty(nats_url)
        works = _work(restored, nats_url, Seen(limit=9))
        await eventually(lambda: _sees(restored, [1, 2, 3, 4, 5]))
        await eventually(lambda: _all_acknowledged(nats_url))
        assert await seen(restored) == [1, 2, 3, 4, 5]
        await _end(works)
    finally:
        await restored.close()


def _work(database: Database, url: str, handler: Seen) -> list[asyncio.Task[None]]:
    consumer = Consumer(
        database, url, name="kit-restored", subjects=["kefu.kit.*.conversations"], handler=handler, alone=True
    )
    relay = Relay(database, url, consumers=["kit-restored"])
    return [asyncio.create_task(work.run()) for work in (relay, consumer)]


async def _end(works: list[asyncio.Task[None]]) -> None:
    for work in works:
        work.cancel()
    await asyncio.gather(*works, return_exceptions=True)


async def _sees(database: Database, versions: list[int]) -> bool:
    return await seen(database) == versions


async def _published(database: Database) -> bool:
    return not await database.fetchval("SELECT count(*) FROM kefu_outbox WHERE published_seq IS NULL")


async def _all_acknowledged(url: str) -> bool:
    async with bus.connected(url, "look") as link:
        info = await link.jetstream.consumer_info(bus.STREAM, "kit-restored")
        return not info.num_pending and not info.num_ack_pending
