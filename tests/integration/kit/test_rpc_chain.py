"""The whole chain on a real server: each way of calling (arity) against each way of failing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from kefu.common.v1 import errors_pb2

from services.kit.access import Access, Kind
from services.kit.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    KefuError,
    PermissionDenied,
    Unauthenticated,
    to_status,
)
from services.kit.testing.grpc import Running, serve

ACCESS = Access.of({"roles": {"admin": ["*"], "talker": ["echo.*"], "reader": ["conversations.read"]}})
ARITIES = ("Say", "SayMany", "Collect", "Talk")
NAME = "sites/desk/conversations/c1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(contract: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    registered = contract.registered()
    async with serve(registered, keys_folder=tmp_path_factory.mktemp("keys"), access=ACCESS) as server:
        yield server


async def ask(channel: Any, arity: str, data: bytes | list[bytes], contract: Any, **options: Any) -> list[Any]:
    """Call a method with raw bytes, whatever its arity; all its answers."""
    path = f"/kefu.test.v1.EchoService/{arity}"
    answer = contract.pb.SayResponse.FromString
    messages = data if isinstance(data, list) else [data]

    async def requests() -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    match arity:
        case "SayMany":
            stream = channel.unary_stream(path, None, answer)(messages[0], **options)
        case "Collect":
            return [await channel.stream_unary(path, None, answer)(requests(), **options)]
        case "Talk":
            stream = channel.stream_stream(path, None, answer)(requests(), **options)
        case _:
            return [await channel.unary_unary(path, None, answer)(messages[0], **options)]
    return [response async for response in stream]


def say(contract: Any, **fields: Any) -> bytes:
    data: bytes = contract.pb.SayRequest(**{"name": NAME, "text": "你好", **fields}).SerializeToString()
    return data


Token = Callable[[Running], str]
TALKER: Token = lambda running: running.token(sites={"desk": ["talker"]})  # noqa: E731 - a table's cell
# What is sent, with which token, and what must come back: class, reason, the field named.
FAILURES: list[tuple[str, dict[str, Any] | bytes, Token, type[KefuError], int, str]] = [
    ("bad bytes", b"\xff\xff\xff", TALKER, InvalidArgument, errors_pb2.ERROR_REASON_MALFORMED_REQUEST, ""),
    ("truncated", b"\x0a\x40abc", TALKER, InvalidArgument, errors_pb2.ERROR_REASON_MALFORMED_REQUEST, ""),
    ("not UTF-8", b"\x0a\x02\xff\xfe", TALKER, InvalidArgument, errors_pb2.ERROR_REASON_MALFORMED_REQUEST, ""),
    ("10 MB", b"x" * 10_000_000, TALKER, InvalidArgument, errors_pb2.ERROR_REASON_MESSAGE_TOO_LARGE, ""),
    ("no token", {}, lambda _: "", Unauthenticated, errors_pb2.ERROR_REASON_TOKEN_INVALID, ""),
    ("garbage token", {}, lambda _: "a.b.c", Unauthenticated, errors_pb2.ERROR_REASON_TOKEN_INVALID, ""),
    (
        "wrong site",
        {},
        lambda running: running.token(sites={"shop": ["talker"]}),
        PermissionDenied,
        errors_pb2.ERROR_REASON_PERMISSION_MISSING,
        "",
    ),
    (
        "missing permission",
        {},
        lambda running: running.token(sites={"desk": ["reader", "no-such-role"]}),
        PermissionDenied,
        errors_pb2.ERROR_REASON_PERMISSION_MISSING,
        "",
    ),
    ("no site", {"name": "conversations/c1"}, TALKER, InvalidArgument, errors_pb2.ERROR_REASON_INVALID_FIELD, "name"),
    ("empty name", {"name": ""}, TALKER, InvalidArgument, errors_pb2.ERROR_REASON_INVALID_FIELD, "name"),
    ("every site", {"name": "sites/-"}, TALKER, PermissionDenied, errors_pb2.ERROR_REASON_PERMISSION_MISSING, ""),
    (
        "foreign reference",
        {"queue": "sites/shop/queues/q"},
        TALKER,
        InvalidArgument,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        "queue",
    ),
    ("long text", {"text": "x" * 101}, TALKER, InvalidArgument, errors_pb2.ERROR_REASON_INVALID_FIELD, "text"),
    ("unknown enum", {"colour": 9}, TALKER, InvalidArgument, errors_pb2.ERROR_REASON_INVALID_FIELD, "colour"),
    (
        "unknown enum in a list",
        {"colours": [1, 9]},
        TALKER,
        InvalidArgument,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        "colours[1]",
    ),
    (
        "unknown enum in a map",
        {"palette": {"a": 9}},
        TALKER,
        InvalidArgument,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        "palette['a']",
    ),
    (
        "unknown enum deep inside",
        {"thing": {"inner": {"inner": {"colour": 9}}}},
        TALKER,
        InvalidArgument,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        "thing.inner.inner.colour",
    ),
    (
        "unknown enum in a map of messages",
        {"shelf": {"k": {"colour": 9}}},
        TALKER,
        InvalidArgument,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        "shelf['k'].colour",
    ),
    ("known error", {"fault": "known"}, TALKER, FailedPrecondition, errors_pb2.ERROR_REASON_WRONG_STATE, ""),
    ("unknown error", {"fault": "unknown"}, TALKER, Internal, errors_pb2.ERROR_REASON_INTERNAL, ""),
]


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize(
    ("what", "sent", "token", "kind", "reason", "field"), FAILURES, ids=[row[0] for row in FAILURES]
)
async def test_failures(
    running: Running,
    contract: Any,
    arity: str,
    what: str,
    sent: dict[str, Any] | bytes,
    token: Token,
    kind: type[KefuError],
    reason: int,
    field: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = sent if isinstance(sent, bytes) else say(contract, **sent)
    with caplog.at_level(logging.INFO), pytest.raises(kind) as caught:
        await ask(running.channel(token(running)), arity, data, contract)
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.fields] == ([field] if field else [])
    if what == "unknown error":
        # The text stays in our log, under the id that the caller got.
        assert "secret" not in str(caught.value)
        (record,) = [record for record in caplog.records if record.getMessage() == "unexpected error"]
        assert record.__dict__["error_id"] == caught.value.metadata["error_id"]
        assert "a secret in an exception" in caplog.text
    else:
        assert not caplog.records


@pytest.mark.parametrize("arity", ARITIES)
async def test_success(running: Running, contract: Any, arity: str) -> None:
    answers = await ask(running.channel(TALKER(running)), arity, say(contract), contract)
    assert {answer.text for answer in answers} == {"你好"}
    assert {answer.subject for answer in answers} == {"tester"}
    assert {answer.site for answer in answers} == {"desk"}


@pytest.mark.parametrize("arity", ["SayMany", "Talk"])
@pytest.mark.parametrize(("fault", "kind"), [("known", FailedPrecondition), ("unknown", Internal)])
async def test_error_after_the_first_answer(
    running: Running, contract: Any, arity: str, fault: str, kind: type[KefuError]
) -> None:
    channel = running.channel(TALKER(running))
    path = f"/kefu.test.v1.EchoService/{arity}"
    request = say(contract, fault=fault)

    async def requests() -> AsyncIterator[bytes]:
        yield request

    call = channel.unary_stream if arity == "SayMany" else channel.stream_stream
    stream = call(path, None, None)(request if arity == "SayMany" else requests())
    answers = aiter(stream)
    assert await anext(answers)
    with pytest.raises(kind):
        await anext(answers)


@pytest.mark.parametrize("arity", ["Collect", "Talk"])
async def test_later_message_of_another_site(running: Running, contract: Any, arity: str) -> None:
    data = [say(contract), say(contract, name="sites/shop/conversations/c1")]
    with pytest.raises(PermissionDenied):
        await ask(running.channel(TALKER(running)), arity, data, contract)


@pytest.mark.parametrize("arity", ARITIES)
async def test_deadline_of_the_caller(running: Running, contract: Any, arity: str) -> None:
    with pytest.raises(DeadlineExceeded):
        await ask(running.channel(TALKER(running)), arity, say(contract, fault="wait"), contract, timeout=0.2)


async def test_deadline_is_defaulted_and_enforced(contract: Any, tmp_path: Path) -> None:
    registered = contract.registered()
    async with serve(registered, keys_folder=tmp_path, unary_seconds=0.3) as running:
        async with grpc.aio.insecure_channel(running.address) as bare:
            metadata = (("authorization", f"Bearer {running.token()}"),)
            call = bare.unary_unary("/kefu.test.v1.EchoService/Say", None, contract.pb.SayResponse.FromString)
            answer = await call(say(contract), metadata=metadata)
            assert 0 < answer.remaining <= 0.3
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(say(contract, fault="wait"), metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_site_of_an_update_is_the_resources(running: Running, contract: Any) -> None:
    stub = contract.rpc.EchoServiceStub(running.channel(TALKER(running)))
    mine = contract.pb.UpdateRequest(thing={"name": "sites/desk/things/t"})
    assert (await stub.Update(mine)).site == "desk"
    with pytest.raises(PermissionDenied):
        await stub.Update(contract.pb.UpdateRequest(thing={"name": "sites/shop/things/t"}))
    with pytest.raises(InvalidArgument) as caught:
        await stub.Update(contract.pb.UpdateRequest())
    assert [violation.field for violation in caught.value.fields] == ["thing.name"]


async def test_public_authenticated_and_everywhere(running: Running, contract: Any) -> None:
    hello = contract.pb.HelloRequest()
    nobody = contract.rpc.EchoServiceStub(running.channel(""))
    somebody = contract.rpc.EchoServiceStub(running.channel(running.token(sites={})))
    talker = contract.rpc.EchoServiceStub(running.channel(TALKER(running)))
    everywhere = contract.rpc.EchoServiceStub(running.channel(running.token(sites={"*": ["talker"]})))
    await nobody.Hello(hello)
    with pytest.raises(Unauthenticated):
        await nobody.Whoami(hello)
    assert (await somebody.Whoami(hello)).subject == "tester"
    # A request that names no site is about all of them.
    with pytest.raises(PermissionDenied):
        await talker.Everywhere(hello)
    assert (await everywhere.Everywhere(hello)).site == "*"


async def test_customers_token_is_for_its_site(running: Running, contract: Any) -> None:
    access = {"roles": {"customer": ["echo.say"]}}
    assert Access.of(access).grants(["customer"], "echo.say")
    token = running.keys.signer.sign("customer-1", Kind.CUSTOMER, ttl=60, site="desk", channel="web")
    # `customer` is no role of this server's access, so the token is valid and grants nothing.
    with pytest.raises(PermissionDenied):
        await ask(running.channel(token), "Say", say(contract), contract)


async def test_fingerprint_ignores_the_request_id_and_nothing_else(running: Running, contract: Any) -> None:
    channel = running.channel(TALKER(running))

    async def fingerprint(**fields: Any) -> tuple[str, bytes]:
        (answer,) = await ask(channel, "Say", say(contract, **fields), contract)
        return answer.request_id, answer.fingerprint

    first = await fingerprint(request_id="one")
    assert first[0] == "one"
    assert len(first[1]) == 16
    assert (await fingerprint(request_id="two"))[1] == first[1]
    assert (await fingerprint(request_id="one", text="other"))[1] != first[1]
    assert await fingerprint() == ("", b"")


@pytest.mark.parametrize(
    ("header", "claim", "locale"),
    [("en-GB,en;q=0.8", "zh-CN", "en"), (None, "en", "en"), ("fr", None, "zh-CN"), (None, None, "zh-CN")],
)
async def test_status_on_the_wire(
    running: Running, contract: Any, header: str | None, claim: str | None, locale: str
) -> None:
    claims: dict[str, Any] = {"locale": claim} if claim else {}
    metadata = [("authorization", f"Bearer {running.token(sites={'desk': ['talker']}, **claims)}")]
    if header:
        metadata.append(("accept-language", header))
    async with grpc.aio.insecure_channel(running.address) as bare:
        call = bare.unary_unary("/kefu.test.v1.EchoService/Say", None, None)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(say(contract, fault="known"), metadata=tuple(metadata))
    trailers: dict[str, bytes] = dict(caught.value.trailing_metadata())  # type: ignore[arg-type]
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    expected = to_status(FailedPrecondition(metadata={"state": "CLOSED", "allowed": "reopen"}), locale)
    assert status == expected
    assert status.message == "This cannot be done in state CLOSED. Possible now: reopen."
    assert caught.value.details() == status.message
    kinds = [detail.type_url.rpartition(".")[2] for detail in status.details]
    assert kinds == ["ErrorInfo", "LocalizedMessage"]
    info, words = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(words)
    assert (info.reason, info.domain, dict(info.metadata)["state"]) == ("WRONG_STATE", "kefu", "CLOSED")
    assert words.locale == locale
    assert ("状态 CLOSED" in words.message) == (locale == "zh-CN")


async def test_traceparent_goes_through(running: Running, contract: Any) -> None:
    channel = running.channel(TALKER(running))
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    (answer,) = await ask(channel, "Say", say(contract), contract, metadata=(("traceparent", sent),))
    assert answer.traceparent == sent
    (answer,) = await ask(channel, "Say", say(contract), contract, metadata=(("traceparent", "00-nonsense"),))
    assert answer.traceparent.startswith("00-")
    assert answer.traceparent != "00-nonsense"


async def test_calls_are_counted_by_method_and_code(contract: Any, tmp_path: Path) -> None:
    registered = contract.registered()
    async with serve(registered, keys_folder=tmp_path) as running:
        channel = running.channel()
        for arity in ARITIES:
            await ask(channel, arity, say(contract), contract)
            with pytest.raises(FailedPrecondition):
                await ask(channel, arity, say(contract, fault="known"), contract)
            with pytest.raises(InvalidArgument):
                await ask(channel, arity, b"\xff", contract)
        for arity in ARITIES:
            for code in ("OK", "FAILED_PRECONDITION", "INVALID_ARGUMENT"):
                labels = {"method": f"kefu.test.v1.EchoService/{arity}", "code": code}
                assert running.registry.get_sample_value("kefu_rpc_server_duration_seconds_count", labels) == 1
        assert running.registry.get_sample_value("kefu_rpc_server_in_flight") == 0
