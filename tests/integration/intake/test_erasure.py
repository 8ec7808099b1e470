"""A customer is forgotten: no word in any row, the answer says what that came to, others are untouched."""

from __future__ import annotations

import secrets

import nats
from kefu.events.v1.event_pb2 import ErasureRequested, Event
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit import audit, bus
from tests.integration.intake.desk import Desk

SERVICES = ("intake",)


def canary(what: str) -> str:
    return f"金丝雀{what}{secrets.token_hex(6)}"


async def everywhere(desk: Desk, words: list[str]) -> set[str]:
    """In which tables of intake any of the words is."""
    database = desk.app.database
    found = set()
    for row in await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'intake'"):
        table = row["tablename"]
        rows = await database.fetch(f'SELECT t::text AS text FROM "{table}" t')
        text = "\n".join(one["text"] for one in rows)
        escaped = [*words, *(word.encode().hex() for word in words)]
        if any(word in text for word in escaped):
            found.add(table)
    return found


async def conversation(desk: Desk, customer: str, words: list[str]) -> pb.Conversation:
    """A closed conversation with words in every place that has any."""
    boss = await desk.staff("boss-1", capacity=20)
    guest = desk.customer(customer)
    name, subject, first, said, need, summary, file = words
    opened = await guest.open(first, customer_name=name, subject=subject)
    await desk.settle()
    await boss.accept(opened.name)
    await boss.say(opened.name, said)
    await boss.stub.RecordNeed(api.RecordNeedRequest(name=opened.name, need=need, source="SEARCH"))
    attachment = pb.Attachment(file_name=f"{file}.txt", media_type="text/plain")
    await guest.stub.CreateAttachment(
        api.CreateAttachmentRequest(parent=opened.name, attachment=attachment, content=file.encode())
    )
    closing = api.CloseConversationRequest(
        name=opened.name, summary=summary, asked_anything_else=True, farewell=True, need=need
    )
    return await boss.stub.CloseConversation(closing)


async def ask(desk: Desk, *customers: str) -> str:
    """Let crm ask for an erasure; returns the request's name."""
    request = f"{desk.parent}/dataRequests/{desk.new_id()}"
    asked = ErasureRequested(request=request, customers=customers)
    await desk.tell(Event(aggregate=request, erasure_requested=asked), subject=f"kefu.crm.{desk.site}.dataRequests")
    await desk.settle()
    return request


async def answers(desk: Desk, request: str) -> list[dict[str, int]]:
    """What intake answered."""
    client = await nats.connect(desk.nats_url)
    try:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info(bus.STREAM)).state
        found = []
        for sequence in range(state.first_seq, state.last_seq + 1):
            event = Event.FromString((await jetstream.get_msg(bus.STREAM, sequence)).data or b"")
            if event.source == "intake" and event.erasure_done.request == request:
                found.append(dict(event.erasure_done.erased))
        return found
    finally:
        await client.close()


async def test_a_customer_is_forgotten_and_nobody_else(desk: Desk) -> None:
    words = [canary(what) for what in ("name", "subject", "first", "said", "need", "summary", "file")]
    others = [canary(what) for what in ("name", "subject", "first", "said", "need", "summary", "file")]
    mine = await conversation(desk, "c-gone", words)
    theirs = await conversation(desk, "c-stays", others)
    await desk.tier("c-gone", "VIP")
    assert await everywhere(desk, words) >= {"conversations", "messages", "attachments"}
    request = await ask(desk, "c-gone", "c-never-here")
    assert await everywhere(desk, words) == set()
    assert await everywhere(desk, others) >= {"conversations", "messages", "attachments"}
    [erased] = await answers(desk, request)
    assert {table: erased[table] for table in ("conversations", "attachments", "customer_tiers")} == {
        "conversations": 1,
        "attachments": 1,
        "customer_tiers": 1,
    }
    assert erased["messages"] >= 2
    boss = desk.person("boss-1", "supervisor")
    left = await boss.get(mine.name)
    assert (left.state, left.subject, left.need, left.summary) == (mine.state, "", "", "")
    assert (await boss.get(theirs.name)).summary == others[5]


async def test_asked_again_there_is_nothing_left_but_the_shells(desk: Desk) -> None:
    await conversation(desk, "c-twice", [canary(what) for what in "abcdefg"])
    await ask(desk, "c-twice")
    [again] = await answers(desk, await ask(desk, "c-twice"))
    again.pop("search_entries", None)  # the indexer may have come by again: an empty entry
    assert again == {"conversations": 1}
    [nothing] = await answers(desk, await ask(desk, "c-unknown"))
    assert nothing == {}


async def test_the_proof_is_in_the_audit_chain(desk: Desk) -> None:
    request = await ask(desk, "c-unknown")
    database = desk.app.database
    while await audit.seal(database):
        pass
    row = await database.fetchrow("SELECT actor, action FROM kefu_audit WHERE object = $1", request)
    assert row is not None
    assert tuple(row) == ("erasure", "erasure.done")
    assert await audit.verify(database) is None
