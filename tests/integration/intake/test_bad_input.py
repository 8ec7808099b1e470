"""Bad input on every write of intake, found by the descriptors: a clear error naming the field, nothing stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.errors import FailedPrecondition
from services.kit.testing.postgres import Databases
from tests.integration import bad_input
from tests.integration.bad_input import Target
from tests.integration.intake.desk import Desk, fresh

SERVICE = api.DESCRIPTOR.services_by_name["ConversationService"]
WRITES = bad_input.writes(SERVICE)
every_write = pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)

# What each write needs beside its name so that only the planted fault is wrong with it.
FILLED: dict[str, dict[str, Any]] = {
    "CreateConversation": {"conversation": {"channel": "CHANNEL_WEB"}},
    "AppendMessage": {"message": {"text": "hello"}},
    "RecordNeed": {"need": "a refund", "source": "SEARCH"},
    "TransferConversation": {"queue": "GENERAL", "reason": "knows better"},
    "RedirectConversation": {"target": "REDIRECT_TARGET_PHONE"},
    "ReportHarassment": {"reason": "insults"},
    "RateConversation": {"score": 5},
    "ReportRing": {"ring": 1},
    "HangUp": {"side": "HANG_UP_SIDE_CUSTOMER"},
    "CreateAttachment": {"attachment": {"file_name": "a.txt", "media_type": "text/plain"}, "content": "aGVsbG8="},
    "CreateFollowUp": {"follow_up": {"due_time": "2027-01-01T00:00:00Z", "person": "ann"}},
    "CompleteFollowUp": {"outcome": "called"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(databases: Databases, nats_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One stack for all: what is refused leaves nothing behind."""
    async with fresh(databases, nats_url, tmp_path_factory.mktemp("desk")) as running_desk:
        yield running_desk


@pytest_asyncio.fixture
async def target(desk: Desk) -> Target:
    """The desk's conversations, for an administrator who may do everything at this site."""
    stub = desk.person("root", "admin").stub

    async def call(method: MethodDescriptor, message: Message) -> Message:
        reply: Message = await getattr(stub, method.name)(message)
        return reply

    return Target(
        call=call,
        database=desk.app.database,
        address=f"127.0.0.1:{desk.app.server.port}",
        token=desk.keys.token("root"),
        filled=FILLED,
        site=desk.site,
        elsewhere="live-room",
    )


@every_write
async def test_each_field_too_long_or_malformed_is_named(target: Target, method: MethodDescriptor) -> None:
    await bad_input.each_fault_is_named(target, method)


@every_write
async def test_an_empty_request_names_what_is_missing(target: Target, method: MethodDescriptor) -> None:
    await bad_input.missing_is_named(target, method)


@pytest.mark.parametrize("method", bad_input.of_existing(WRITES), ids=lambda method: method.name)
async def test_an_unknown_conversation_is_not_found(target: Target, method: MethodDescriptor) -> None:
    await bad_input.unknown_is_not_found(target, method)


@every_write
async def test_another_sites_object_is_refused_without_a_word_on_whether_it_exists(
    desk: Desk, target: Target, method: MethodDescriptor
) -> None:
    theirs = await desk.at("live-room").customer("c-9", "LIVE").open("hello")
    await bad_input.elsewhere_says_nothing(target, method, theirs.name.rsplit("/", 1)[1])


@every_write
async def test_bytes_that_are_no_message_are_an_invalid_argument(target: Target, method: MethodDescriptor) -> None:
    await bad_input.bytes_are_refused(target, method)


async def test_a_wrong_state_names_the_state_and_what_is_allowed(desk: Desk) -> None:
    opened = await desk.customer("c-1").open("hello")
    before = await bad_input.rows(desk.app.database)
    with pytest.raises(FailedPrecondition) as refused:
        await desk.customer("c-1").rate(opened.name, 5)
    assert refused.value.reason_name == "WRONG_STATE"
    assert refused.value.metadata["state"] == "QUEUED"
    assert refused.value.metadata["allowed"]
    assert await bad_input.rows(desk.app.database) == before


async def test_every_refusal_is_typed(target: Target) -> None:
    for method in SERVICE.methods:
        if not method.server_streaming:
            await bad_input.refusal_is_typed(target, method)
