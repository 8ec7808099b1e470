"""Bad input on every write of intake, found by the descriptors: a clear error naming the field, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.errors import FailedPrecondition, InvalidArgument, KefuError, NotFound, PermissionDenied
from services.kit.ids import Ids
from tests.integration.intake.desk import Desk

SERVICE = api.DESCRIPTOR.services_by_name["ConversationService"]
WRITES = [m for m in SERVICE.methods if m.GetOptions().idempotency_level == MethodOptions.IDEMPOTENT]
NAMED = [m for m in WRITES if m.name != "CreateConversation"]
TEN_MIB = 10 * 1024 * 1024

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
    "CreateAttachment": {"attachment": {"file_name": "a.txt", "media_type": "text/plain"}, "content": b"hello"},
    "CreateFollowUp": {"follow_up": {"due_time": "2027-01-01T00:00:00Z", "person": "ann"}},
    "CompleteFollowUp": {"outcome": "called"},
}


def resource(method: MethodDescriptor, site: str, conversation: str) -> str:
    """The name or parent that a method takes."""
    if method.name == "CreateConversation":
        return f"sites/{site}"
    tail = "/followUps/0198c0de-0000-7000-8000-000000000000" if method.name.endswith("FollowUp") else ""
    tail = "" if method.name == "CreateFollowUp" else tail
    return f"sites/{site}/conversations/{conversation}{tail}"


def request(method: MethodDescriptor, site: str, conversation: str) -> Message:
    """A valid request for a method."""
    made = GetMessageClass(method.input_type)()
    key = "name" if "name" in method.input_type.fields_by_name else "parent"
    setattr(made, key, resource(method, site, conversation))
    _fill(made, FILLED.get(method.name, {}))
    return made


def _fill(message: Message, values: dict[str, Any]) -> None:
    for name, value in values.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if isinstance(value, dict):
            _fill(getattr(message, name), value)
        elif field.message_type is not None:
            getattr(message, name).FromJsonString(value)
        elif field.enum_type is not None:
            setattr(message, name, field.enum_type.values_by_name[value].number)
        else:
            setattr(message, name, value)


def text_fields(message: Message, path: str = "") -> Iterator[tuple[str, Message, str]]:
    """Every text field that a caller may write, with its path and the message that holds it."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            continue
        if field.type == FieldDescriptor.TYPE_STRING:
            yield f"{path}{field.name}", message, field.name
        elif field.message_type is not None and message.HasField(field.name):
            yield from text_fields(getattr(message, field.name), f"{path}{field.name}.")


def output_only(path: str) -> bool:
    """Whether a field is filled by the service alone: what a caller puts there is ignored, not judged."""
    names = ("tier", "assignee", "accountable_owner", "profile_version", "author", "sha256")
    return path.rsplit(".", maxsplit=1)[-1] in names or path.endswith((".name", ".outcome"))


async def call(desk: Desk, method: MethodDescriptor, message: Message) -> Message:
    """Call a method as an administrator who may do everything at this site."""
    stub = desk.person("root", "admin").stub
    reply: Message = await getattr(stub, method.name)(message)
    return reply


async def stored(desk: Desk) -> tuple[int, ...]:
    """How many rows of everything there are."""
    tables = ("conversations", "messages", "conversation_history", "attachments", "follow_ups", "kefu_outbox")
    return tuple([await desk.app.database.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


@pytest.mark.parametrize("method", WRITES, ids=lambda m: m.name)
async def test_each_field_too_long_or_malformed_is_named(desk: Desk, method: MethodDescriptor) -> None:
    before = await stored(desk)
    template = request(method, desk.site, Ids()())
    judged = 0
    for path, _, _ in text_fields(template):
        if output_only(path):
            continue
        for value in ("x" * 5000, "\u0000 no such form \u0000" if path in {"name", "parent"} else "y" * 4999):
            bad = type(template)()
            bad.CopyFrom(template)
            [(_, holder, name)] = [found for found in text_fields(bad) if found[0] == path]
            setattr(holder, name, value)
            with pytest.raises(InvalidArgument) as refused:
                await call(desk, method, bad)
            assert refused.value.reason_name == "INVALID_FIELD"
            assert path in [violation.field for violation in refused.value.fields]
            judged += 1
    assert judged >= 2  # at least the name and the request id
    assert await stored(desk) == before


@pytest.mark.parametrize("method", WRITES, ids=lambda m: m.name)
async def test_an_empty_request_names_what_is_missing(desk: Desk, method: MethodDescriptor) -> None:
    empty = GetMessageClass(method.input_type)()
    before = await stored(desk)
    with pytest.raises(InvalidArgument) as refused:
        await call(desk, method, empty)
    assert {violation.field for violation in refused.value.fields} & {"name", "parent"}
    assert await stored(desk) == before


@pytest.mark.parametrize("method", NAMED, ids=lambda m: m.name)
async def test_an_unknown_conversation_is_not_found(desk: Desk, method: MethodDescriptor) -> None:
    before = await stored(desk)
    with pytest.raises(NotFound):
        await call(desk, method, request(method, desk.site, Ids()()))
    assert await stored(desk) == before


@pytest.mark.parametrize("method", WRITES, ids=lambda m: m.name)
async def test_another_sites_object_is_refused_without_a_word_on_whether_it_exists(
    desk: Desk, method: MethodDescriptor
) -> None:
    theirs = await desk.at("live-room").customer("c-9", "LIVE").open("hello")
    before = await stored(desk)
    texts = set()
    for conversation in (theirs.name.rsplit("/", 1)[1], Ids()()):
        with pytest.raises(PermissionDenied) as refused:
            await call(desk, method, request(method, "live-room", conversation))
        texts.add(str(refused.value))
    assert len(texts) == 1
    assert await stored(desk) == before


@pytest.mark.parametrize("method", WRITES, ids=lambda m: m.name)
async def test_bytes_that_are_no_message_are_an_invalid_argument(desk: Desk, method: MethodDescriptor) -> None:
    before = await stored(desk)
    whole = request(method, desk.site, Ids()()).SerializeToString()
    token = desk.keys.token("root")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{desk.app.server.port}") as channel:
        send = channel.unary_unary(f"/{SERVICE.full_name}/{method.name}", None, None)
        for body in (b"\xff\xff\xff\xff garbage", whole[: len(whole) // 2], b"\x0a" + bytes(64), b"\x00" * TEN_MIB):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await send(body, metadata=[("authorization", f"Bearer {token}")], timeout=10)
            clear = {grpc.StatusCode.INVALID_ARGUMENT}
            if len(body) >= TEN_MIB:
                clear.add(grpc.StatusCode.RESOURCE_EXHAUSTED)  # the transport's own limit
            assert refused.value.code() in clear, refused.value
    assert await stored(desk) == before


async def test_an_unknown_enum_value_is_named(desk: Desk) -> None:
    before = await stored(desk)
    opening = api.CreateConversationRequest(parent=desk.parent)
    opening.conversation.channel = 99  # type: ignore[assignment]
    with pytest.raises(InvalidArgument) as refused:
        await desk.person("root", "admin").stub.CreateConversation(opening)
    assert [violation.field for violation in refused.value.fields] == ["conversation.channel"]
    assert await stored(desk) == before


async def test_a_wrong_state_names_the_state_and_what_is_allowed(desk: Desk) -> None:
    opened = await desk.customer("c-1").open("hello")
    before = await stored(desk)
    with pytest.raises(FailedPrecondition) as refused:
        await desk.customer("c-1").rate(opened.name, 5)
    assert refused.value.reason_name == "WRONG_STATE"
    assert refused.value.metadata["state"] == "QUEUED"
    assert refused.value.metadata["allowed"]
    assert await stored(desk) == before


async def test_every_refusal_is_typed(desk: Desk) -> None:
    """No method answers an empty request with a fault of ours."""
    for method in SERVICE.methods:
        if method.server_streaming:
            continue
        with pytest.raises(KefuError) as refused:
            await call(desk, method, GetMessageClass(method.input_type)())
        assert refused.value.code is not grpc.StatusCode.INTERNAL
