"""Files: what is taken, who gets them, and that a repeated request stores nothing twice."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.intake.store import attachments as store
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from tests.integration.intake.desk import Client, Desk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


async def send(client: Client, conversation: str, content: bytes = PNG, **given: Any) -> pb.Attachment:
    attachment = pb.Attachment(
        file_name=given.get("file_name", "发票.png"), media_type=given.get("media_type", "image/png")
    )
    request = api.CreateAttachmentRequest(
        parent=conversation, attachment=attachment, content=content, request_id=given.get("request_id", "")
    )
    return await client.stub.CreateAttachment(request)


async def fetch(client: Client, name: str) -> api.AttachmentContent:
    return await client.stub.GetAttachment(api.GetAttachmentRequest(name=name))


async def test_a_file_is_stored_sent_and_read_by_both_sides(desk: Desk) -> None:
    ann, customer = await desk.staff("ann"), desk.customer("c-1")
    opened = await customer.open()
    sent = await send(customer, opened.name)
    assert (sent.size_bytes, sent.sha256, sent.file_name) == (len(PNG), hashlib.sha256(PNG).hexdigest(), "发票.png")
    message = pb.Message(kind=pb.Message.KIND_ATTACHMENT, attachment=sent.name)
    await customer.stub.AppendMessage(api.AppendMessageRequest(parent=opened.name, message=message))
    for reader in (ann, customer):
        got = await fetch(reader, sent.name)
        assert (got.content, got.attachment) == (PNG, sent)


async def test_a_repeated_request_stores_once_and_other_content_is_refused(desk: Desk) -> None:
    customer = desk.customer("c-1")
    opened = await customer.open()
    first = await send(customer, opened.name, request_id="r-1")
    assert await send(customer, opened.name, request_id="r-1") == first
    assert await desk.app.database.fetchval("SELECT count(*) FROM attachments") == 1
    with pytest.raises(InvalidArgument) as reused:
        await send(customer, opened.name, PNG + b"x", request_id="r-1")
    assert reused.value.reason_name == "REQUEST_ID_REUSED"


async def test_two_mebibytes_are_taken_and_one_byte_more_is_not(desk: Desk) -> None:
    customer = desk.customer("c-1")
    opened = await customer.open()
    most = PNG + bytes(2 * 1024 * 1024 - len(PNG))
    assert (await fetch(customer, (await send(customer, opened.name, most)).name)).content == most
    for content in (most + b"x", b""):
        with pytest.raises(InvalidArgument) as refused:
            await send(customer, opened.name, content)
        assert [violation.field for violation in refused.value.fields] == ["content"]


@pytest.mark.parametrize(
    ("given", "content", "field"),
    [
        ({"media_type": "image/png"}, b"#!/bin/sh\n", "content"),
        ({"media_type": "text/plain"}, PNG, "content"),
        ({"media_type": "text/html"}, b"<script>", "attachment.media_type"),
        ({"file_name": ""}, PNG, "attachment.file_name"),
        ({"file_name": "x" * 201}, PNG, "attachment.file_name"),
    ],
)
async def test_what_it_claims_must_be_what_it_is(desk: Desk, given: dict[str, str], content: bytes, field: str) -> None:
    customer = desk.customer("c-1")
    opened = await customer.open()
    with pytest.raises(InvalidArgument) as refused:
        await send(customer, opened.name, content, **given)
    assert [violation.field for violation in refused.value.fields] == [field]
    assert await desk.app.database.fetchval("SELECT count(*) FROM attachments") == 0


async def test_nobody_reads_or_adds_to_what_is_not_theirs(desk: Desk) -> None:
    opened = await desk.customer("c-1").open()
    sent = await send(desk.customer("c-1"), opened.name)
    stranger = desk.customer("c-2")
    with pytest.raises(PermissionDenied):
        await fetch(stranger, sent.name)
    with pytest.raises(PermissionDenied):
        await send(stranger, opened.name)
    boss = desk.person("boss", "supervisor")
    with pytest.raises(NotFound):
        await fetch(boss, f"{opened.name}/attachments/nothing")
    with pytest.raises(NotFound):
        await send(boss, f"{desk.parent}/conversations/nobody")


async def test_a_conversation_takes_a_hundred_files(desk: Desk) -> None:
    customer = desk.customer("c-1")
    opened = await customer.open()
    for _ in range(100):
        await send(customer, opened.name)
    with pytest.raises(FailedPrecondition) as full:
        await send(customer, opened.name)
    assert (full.value.reason_name, full.value.metadata) == ("LIMIT_REACHED", {"limit": "100"})


async def test_erasure_leaves_size_and_time_only_and_no_stored_reply_has_the_name(desk: Desk) -> None:
    customer = desk.customer("c-1")
    opened = await customer.open()
    sent = await send(customer, opened.name, request_id="r-1", file_name="张三的病历.png")
    replies = await desk.app.database.fetch("SELECT reply FROM kefu_requests WHERE request_id = 'r-1'")
    assert replies
    assert not any("张三".encode() in row["reply"] for row in replies)
    async with desk.app.database.transaction() as tx:
        assert await store.erase(tx, desk.site, [opened.name.rpartition("/")[2]]) == 1
    with pytest.raises(NotFound):
        await fetch(customer, sent.name)
    row = await desk.app.database.fetchrow("SELECT file_name, content, size_bytes FROM attachments")
    assert row is not None
    assert (row["file_name"], row["content"], row["size_bytes"]) == ("", b"", len(PNG))
