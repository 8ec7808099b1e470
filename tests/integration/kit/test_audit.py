"""The audit log on a real PostgreSQL: append only, chained, verifiable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from kefu.events.v1.event_pb2 import Event

from services.kit.audit import Entry, seal, verify
from services.kit.db import Database
from services.kit.machine import Machine, Transition
from services.kit.testing.postgres import Databases


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(databases: Databases) -> AsyncIterator[Database]:
    database = Database((await databases.clone("kit"))["kit"], "kit")
    await database.open(hints=False)
    yield database
    await database.close()


async def write(database: Database, *actions: str) -> None:
    async with database.transaction() as tx:
        tx.audit(*(Entry("desk", "ann", action, "sites/desk/conversations/c", "{}") for action in actions))


async def test_rows_are_chained_once_whoever_seals(fresh: Database) -> None:
    await asyncio.gather(*(write(fresh, f"a{n}", f"b{n}") for n in range(10)))
    counts = await asyncio.gather(*(seal(fresh) for _ in range(4)))
    assert sorted(counts) == [0, 0, 0, 20]
    await write(fresh, "later")
    assert await seal(fresh) == 1
    links = await fresh.fetchval("SELECT array_agg(link ORDER BY link) FROM kefu_audit")
    assert list(links) == list(range(1, 22))
    assert await verify(fresh) is None


@pytest.mark.parametrize(
    "statement", ["UPDATE kefu_audit SET actor = 'bob'", "DELETE FROM kefu_audit", "TRUNCATE kefu_audit"]
)
async def test_rows_cannot_be_changed_sealed_or_not(fresh: Database, statement: str) -> None:
    await write(fresh, "close")
    with pytest.raises(asyncpg.RestrictViolationError):
        await fresh.execute(statement)
    await seal(fresh)
    with pytest.raises(asyncpg.RestrictViolationError):
        await fresh.execute(statement)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE kefu_audit SET actor = 'bob' WHERE link = 3",
        "UPDATE kefu_audit SET action = action || '!', detail = '' WHERE link = 3",
        "UPDATE kefu_audit SET at = at - interval '1 s' WHERE link = 3",
        "DELETE FROM kefu_audit WHERE link = 3",
    ],
)
async def test_who_gets_round_the_trigger_is_found_by_the_chain(fresh: Database, tampering: str) -> None:
    await write(fresh, "a", "b", "c", "d", "e")
    await seal(fresh)
    await fresh.execute("ALTER TABLE kefu_audit DISABLE TRIGGER USER")
    await fresh.execute(tampering)
    assert await verify(fresh) == 3


async def test_a_machines_step_writes_audit_and_event_together(fresh: Database) -> None:
    machine: Machine[None] = Machine(
        "ticket", initial="OPEN", states=("OPEN", "DONE"), transitions=(Transition("finish", ("OPEN",), "DONE"),)
    )
    step = machine.apply("OPEN", "finish", None)
    event = Event(site="desk", aggregate="sites/desk/tickets/t", version=2)
    async with fresh.transaction() as tx:
        machine.record(tx, step, site="desk", object="sites/desk/tickets/t", actor="ann", event=event)
    row = await fresh.fetchrow("SELECT actor, action, object, detail FROM kefu_audit")
    assert row is not None
    assert tuple(row.values()) == ("ann", "ticket.finish", "sites/desk/tickets/t", '{"from": "OPEN", "to": "DONE"}')
    assert await fresh.fetchval("SELECT aggregate FROM kefu_outbox") == "sites/desk/tickets/t"
