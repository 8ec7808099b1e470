"""Idempotent commands: one effect and one reply for each request id."""

from __future__ import annotations

import asyncio

import pytest
from kefu.events.v1.event_pb2 import ConversationMoved, Event

from services.kit.access import Kind, Principal
from services.kit.audit import Entry
from services.kit.call import Call
from services.kit.db import Database, Transaction
from services.kit.errors import FailedPrecondition, InvalidArgument
from services.kit.testing.polling import eventually
from services.kit.uow import UnitOfWork, expire_replies


def call(request_id: str | None, *, subject: str = "ann", fingerprint: bytes = b"f") -> Call:
    principal = Principal(subject=subject, kind=Kind.PERSON, sites={})
    return Call("m", principal=principal, request_id=request_id, fingerprint=fingerprint)


class Counter:
    """A command whose runs can be counted, and which can be held up."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, tx: Transaction) -> int:
        self.runs += 1
        await self.gate.wait()
        await tx.execute("CREATE TEMPORARY TABLE IF NOT EXISTS t (n int)")
        return self.runs


def convert(number: int) -> bytes:
    return str(number).encode()


async def test_a_repeated_request_gets_the_stored_reply(database: Database) -> None:
    unit, command = UnitOfWork(database), Counter()
    assert await unit.run(call("r1"), command, convert) == b"1"
    assert await unit.run(call("r1"), command, convert) == b"1"
    assert command.runs == 1
    assert await unit.run(call("r1", subject="bob"), command, convert) == b"2"


async def test_the_same_id_with_other_arguments_is_refused(database: Database) -> None:
    unit, command = UnitOfWork(database), Counter()
    await unit.run(call("r2"), command, convert)
    with pytest.raises(InvalidArgument, match="REQUEST_ID_REUSED"):
        await unit.run(call("r2", fingerprint=b"other"), command, convert)
    assert command.runs == 1


async def test_a_twin_at_the_same_time_waits_and_gets_the_first_ones_reply(database: Database) -> None:
    unit, command = UnitOfWork(database), Counter()
    command.gate.clear()
    twins = [asyncio.create_task(unit.run(call("r3"), command, convert)) for _ in range(5)]
    await eventually(lambda: command.runs)
    waiting = "SELECT count(*) >= 4 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    await eventually(lambda: database.fetchval(waiting))
    command.gate.set()
    assert await asyncio.gather(*twins) == [b"1"] * 5
    assert command.runs == 1


async def test_a_failed_command_may_be_repeated(database: Database) -> None:
    unit = UnitOfWork(database)

    async def refuses(_tx: Transaction) -> int:
        raise FailedPrecondition

    with pytest.raises(FailedPrecondition):
        await unit.run(call("r4"), refuses, convert)
    assert await unit.run(call("r4"), Counter(), convert) == b"1"


async def test_without_a_request_id_every_call_runs(database: Database) -> None:
    unit, command = UnitOfWork(database), Counter()
    assert [await unit.run(call(None), command, convert) for _ in range(2)] == [b"1", b"2"]


async def test_events_and_audit_commit_with_the_effect_or_not_at_all(database: Database) -> None:
    async def command(tx: Transaction, *, fails: bool) -> int:
        event = Event(site="desk", aggregate="sites/desk/conversations/c", version=1)
        event.conversation_moved.CopyFrom(ConversationMoved(to_state="OPEN"))
        tx.publish(event)
        tx.audit(Entry("desk", "ann", "close", "sites/desk/conversations/c"))
        if fails:
            raise FailedPrecondition
        return 1

    counts = "SELECT (SELECT count(*) FROM kefu_outbox), (SELECT count(*) FROM kefu_audit)"
    with pytest.raises(FailedPrecondition):
        await UnitOfWork(database).run(call("r5"), lambda tx: command(tx, fails=True), convert)
    assert tuple(await database.fetchrow(counts) or ()) == (0, 0)
    await UnitOfWork(database).run(call("r5"), lambda tx: command(tx, fails=False), convert)
    assert tuple(await database.fetchrow(counts) or ()) == (1, 1)
    row = await database.fetchrow("SELECT subject, payload FROM kefu_outbox")
    assert row is not None
    assert row["subject"] == "kefu.kit.desk.conversations"
    event = Event.FromString(row["payload"])
    assert event.id
    assert event.occurred_at.seconds


async def test_old_replies_expire(database: Database) -> None:
    await UnitOfWork(database).run(call("old"), Counter(), convert)
    await UnitOfWork(database).run(call("new"), Counter(), convert)
    await database.execute("UPDATE kefu_requests SET created_at = now() - interval '4 days' WHERE request_id = 'old'")
    async with database.transaction() as tx:
        assert await expire_replies(tx) == 1
    assert await UnitOfWork(database).run(call("new"), Counter(), convert) == b"1"
