"""The figures of what waits."""

from __future__ import annotations

from datetime import timedelta

from kefu.events.v1.event_pb2 import Event

from services.kit.audit import Entry
from services.kit.backlog import Backlog, backlog
from services.kit.db import Database
from services.kit.timers import Timer, arm


async def test_what_waits_is_told(database: Database) -> None:
    assert await backlog(database) == Backlog(0, 0, 0, 0, 0)
    async with database.transaction() as tx:
        await arm(tx, [Timer("conversation", "a", "k", "desk", 1, tx.now - timedelta(seconds=90))])
        await arm(tx, [Timer("conversation", "b", "k", "desk", 1, tx.now + timedelta(seconds=90))])
        tx.publish(Event(site="desk", aggregate="sites/desk/conversations/c", version=1))
        tx.audit(Entry("desk", "ann", "close", "sites/desk/conversations/c"))
        await tx.execute(
            "INSERT INTO kefu_parked (consumer, item_id, subject, payload, tries, error, parked_at)"
            " VALUES ('c', 'i', 's', '', 5, 'e', now()), ('c', 'j', 's', '', 1, 'e', NULL)"
        )
    await database.execute("UPDATE kefu_outbox SET created_at = now() - interval '7 s'")
    seen = await backlog(database)
    assert 90 <= seen.timer_overdue_seconds < 100
    assert 7 <= seen.unpublished_seconds < 17
    assert (seen.unconsumed_events, seen.parked, seen.unsealed_audit_rows) == (0, 1, 1)
    await database.execute("UPDATE kefu_outbox SET published_seq = 1")
    assert (await backlog(database)).unconsumed_events == 1
