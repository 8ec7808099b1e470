"""PostgreSQL and NATS go away while customers write: clear errors in time, nothing acknowledged lost, service resumes.

The record follows the three outcomes of a history checker: ok (acknowledged), failed (surely not applied), unknown
(anything else, which may have taken effect until its request id is repeated to an answer).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest_asyncio
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.kit.errors import DeadlineExceeded, KefuError, Unavailable
from services.kit.testing.postgres import Databases
from tests.integration.intake.desk import Customer, Desk, running

CALL_SECONDS = 3.0
BOUND_SECONDS = 40.0


@dataclass
class Record:
    """What one customer sent and what was heard of it."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # request id → message name
    unknown: list[str] = field(default_factory=list)
    slowest_failure_s: float = 0.0
    refusals: set[type[KefuError]] = field(default_factory=set)


@dataclass
class Stack:
    """A desk on servers of its own, which a test may stop."""

    desk: Desk
    postgres: EmbeddedPostgres
    nats: EmbeddedNats


@pytest_asyncio.fixture(loop_scope="session")
async def stack(scratch: Path, tmp_path: Path) -> AsyncIterator[Stack]:
    """Durable PostgreSQL and NATS of this test's own with intake on real time."""
    folder = scratch / tmp_path.name  # pytest closes its own folders to the account that PostgreSQL runs under
    postgres = EmbeddedPostgres(folder / "postgres", durable=True)
    nats = EmbeddedNats(folder / "nats")
    await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(nats.start)
    try:
        url = (await Databases(postgres).clone("intake"))["intake"]
        async with running(url, nats.url, tmp_path) as desk:
            yield Stack(desk, postgres, nats)
    finally:
        await asyncio.to_thread(nats.stop)
        await asyncio.to_thread(postgres.stop, immediate=True)


async def write(customer: Customer, conversation: str, record: Record, request_id: str) -> bool:
    """Send one message once; True when it was acknowledged."""
    message = pb.Message(text=f"words of {request_id}")
    request = api.AppendMessageRequest(parent=conversation, message=message, request_id=request_id)
    began = time.monotonic()
    try:
        reply = await customer.stub.AppendMessage(request, timeout=CALL_SECONDS)
    except KefuError as error:
        record.slowest_failure_s = max(record.slowest_failure_s, time.monotonic() - began)
        record.refusals.add(type(error))
        record.unknown.append(request_id)
        return False
    record.acknowledged[request_id] = reply.name
    return True


async def keep_writing(
    customer: Customer, conversation: str, record: Record, *, prefix: str, stop: asyncio.Event
) -> None:
    """Send one message after the other until told to stop."""
    number = 0
    while not stop.is_set():
        number += 1
        await write(customer, conversation, record, f"{prefix}-{number}")


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll a condition, for a bounded time."""
    give_up = time.monotonic() + BOUND_SECONDS
    while not await condition():
        assert time.monotonic() < give_up, f"waited {BOUND_SECONDS:.0f} s in vain for {what}"
        await asyncio.sleep(0.05)  # a poll, not a wait for time to pass


async def everything_said(customer: Customer, conversation: str) -> list[pb.Message]:
    """All messages of a conversation through the public API."""
    found: list[pb.Message] = []
    token = ""
    while True:
        request = api.ListMessagesRequest(parent=conversation, page_size=500, page_token=token)
        reply = await customer.stub.ListMessages(request)
        found += reply.messages
        token = reply.next_page_token
        if not token:
            return found


async def test_postgresql_goes_away_and_nothing_acknowledged_is_lost(stack: Stack) -> None:
    customers = [stack.desk.customer(f"c-{number}") for number in range(4)]
    names = [(await customer.open("hello", request_id=f"open-{n}")).name for n, customer in enumerate(customers)]
    record, stop = Record(), asyncio.Event()
    pairs = list(zip(customers, names, strict=True))
    writers = [
        asyncio.create_task(keep_writing(customer, name, record, prefix=f"w{n}", stop=stop))
        for n, (customer, name) in enumerate(pairs)
    ]
    for mode in (False, True):  # an orderly stop, then a crash
        heard = len(record.acknowledged)
        await until(lambda heard=heard: _more(record, heard + 20), "messages to be stored")  # type: ignore[misc]
        await asyncio.to_thread(stack.postgres.stop, immediate=mode)
        failed = len(record.unknown)
        await until(lambda failed=failed: _failures(record, failed + 4), "calls to fail")  # type: ignore[misc]
        await asyncio.to_thread(stack.postgres.start)
        heard = len(record.acknowledged)
        await until(lambda heard=heard: _more(record, heard + 20), "the service to resume by itself")  # type: ignore[misc]
    stop.set()
    await asyncio.gather(*writers)

    assert record.refusals <= {Unavailable, DeadlineExceeded}
    assert record.slowest_failure_s <= CALL_SECONDS + 0.5
    for request_id in list(record.unknown):  # each unknown one is repeated to an answer
        customer, name = pairs[int(request_id[1])]
        assert await write(customer, name, record, request_id)
    said = [message for customer, name in pairs for message in await everything_said(customer, name)]
    by_name = {message.name: message.text for message in said}
    assert len(by_name) == len(said)
    for request_id, name in record.acknowledged.items():
        assert by_name[name] == f"words of {request_id}"
    texts = [message.text for message in said if message.text.startswith("words of ")]
    assert sorted(texts) == sorted(f"words of {request_id}" for request_id in record.acknowledged)


async def test_nats_goes_away_and_every_event_arrives_later(stack: Stack) -> None:
    customer = stack.desk.customer("c-1")
    opened = await customer.open("hello")
    await asyncio.to_thread(stack.nats.stop, immediate=True)
    record = Record()
    for number in range(20):
        assert await write(customer, opened.name, record, f"m-{number}")  # the desk works on without the event bus
    assert await _unpublished(stack) >= 20
    await asyncio.to_thread(stack.nats.start)

    async def published() -> bool:
        return await _unpublished(stack) == 0

    await until(published, "the outbox to be published")


async def _more(record: Record, count: int) -> bool:
    return len(record.acknowledged) >= count


async def _failures(record: Record, count: int) -> bool:
    return len(record.unknown) >= count


async def _unpublished(stack: Stack) -> int:
    count: int = await stack.desk.app.database.fetchval("SELECT count(*) FROM kefu_outbox WHERE published_seq IS NULL")
    return count
