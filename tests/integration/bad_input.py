"""Bad input for every write of a service, made from its descriptors, and what each must be answered with.

A test module says how its service is called (`Target`), what a valid request holds beside the resource's name
(`filled`), and runs the checks for each of `writes(service)`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.kit.db import Database
from services.kit.errors import InvalidArgument, KefuError, NotFound, PermissionDenied
from services.kit.ids import Ids

TEN_MIB = 10 * 1024 * 1024
TOO_LONG = "x" * 5000  # longer than any text that a contract takes
NO_FORM = "\u0000 no such form \u0000"
NO_SUCH_VALUE = 99
NO_NUMBER = -1  # below every bound that a contract sets
NUMBERS = {"int32", "int64", "double"}
# Filled by the service: what a caller puts there is ignored, not judged.
IGNORED = {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}

Filled = Mapping[str, dict[str, Any]]


def writes(service: ServiceDescriptor) -> list[MethodDescriptor]:
    """The methods that change something."""
    return [method for method in service.methods if method.GetOptions().idempotency_level == MethodOptions.IDEMPOTENT]


def of_existing(methods: list[MethodDescriptor]) -> list[MethodDescriptor]:
    """Those that name an object which must be there, beside its site."""
    return [method for method in methods if binding(method)[1] not in {"", "sites/*"}]


def binding(method: MethodDescriptor) -> tuple[str, str]:
    """Path of the field that names the resource, and its form, by the method's HTTP rule; empty without one."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    path = getattr(rule, rule.WhichOneof("pattern"))
    found = re.search(r"\{([a-z_.]+)(?:=([^}]+))?\}", path)
    return (found[1], found[2] or "*") if found else ("", "")


def request(method: MethodDescriptor, filled: Filled, *, site: str, ids: str) -> Message:
    """A valid request about the object whose every id is `ids`."""
    made = GetMessageClass(method.input_type)()
    ParseDict(filled.get(method.name, {}), made)
    path, form = binding(method)
    if path:
        plant(made, path, re.sub(r"(sites/)?\*", lambda found: f"sites/{site}" if found[1] else ids, form))
    return made


def plant(message: Message, path: str, value: object) -> None:
    """Set the field at a path; a repeated field gets one value more."""
    *parents, name = path.split(".")
    for parent in parents:
        step = re.fullmatch(r"(\w+)\[(\d+)\]", parent)
        message = getattr(message, step[1])[int(step[2])] if step else getattr(message, parent)
    if name.endswith("]"):
        getattr(message, name.partition("[")[0]).append(value)
    else:
        setattr(message, name, value)


def faults(method: MethodDescriptor, template: Message) -> Iterator[tuple[str, Message]]:
    """(path, request with this one field at fault) for each text, enum and bounded number that a caller may write."""
    bound, _ = binding(method)
    for path, values in _fields(template, bound):
        for value in values:
            bad = type(template)()
            bad.CopyFrom(template)
            plant(bad, path, value)
            yield path, bad


def _fields(message: Message, bound: str, prefix: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(path, values that must be refused) of each field to judge."""
    for one in message.DESCRIPTOR.fields:
        path = f"{prefix}{one.name}"
        if path != bound and IGNORED & set(one.GetOptions().Extensions[field_behavior_pb2.field_behavior]):
            continue
        value = getattr(message, one.name)
        if one.type == FieldDescriptor.TYPE_STRING:
            yield (f"{path}[{len(value)}]" if one.is_repeated else path), (TOO_LONG, NO_FORM)
        elif one.type == FieldDescriptor.TYPE_ENUM:
            yield (f"{path}[{len(value)}]" if one.is_repeated else path), (NO_SUCH_VALUE,)
        elif one.message_type is None:
            if one.GetOptions().Extensions[validate_pb2.field].WhichOneof("type") in NUMBERS:
                yield path, (NO_NUMBER,)
        elif one.message_type.file.package == "google.protobuf" or one.message_type.GetOptions().map_entry:
            continue  # times, masks, maps
        elif one.is_repeated:
            for index, item in enumerate(value):
                yield from _fields(item, bound, f"{path}[{index}].")
        elif message.HasField(one.name):
            yield from _fields(value, bound, f"{path}.")


_TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE 'search%' ORDER BY 1
"""


async def rows(database: Database) -> dict[str, int]:
    """How many rows each table of a service has, but for the search index, which the worker builds meanwhile."""
    names = await database.fetch(_TABLES)
    assert names
    return {name: await database.fetchval(f'SELECT count(*) FROM "{name}"') for (name,) in names}


@dataclass(frozen=True, slots=True)
class Target:
    """A service under test: `call` sends as an administrator of `site`, who has nothing to say at `elsewhere`."""

    call: Callable[[MethodDescriptor, Message], Awaitable[Message]]
    database: Database
    address: str
    token: str
    filled: Filled
    site: str
    elsewhere: str
    new_id: Callable[[], str] = field(default_factory=Ids)

    def request(self, method: MethodDescriptor) -> Message:
        """A valid request about an object that is not there."""
        return request(method, self.filled, site=self.site, ids=self.new_id())


async def each_fault_is_named(target: Target, method: MethodDescriptor) -> None:
    """Too long, malformed, or an unknown enum value: INVALID_ARGUMENT naming the field, nothing stored."""
    before = await rows(target.database)
    judged = set()
    for path, bad in faults(method, target.request(method)):
        with pytest.raises(InvalidArgument) as refused:
            await target.call(method, bad)
        assert refused.value.reason_name == "INVALID_FIELD"
        assert path in [violation.field for violation in refused.value.fields]
        judged.add(path)
    assert judged >= {binding(method)[0] or "request_id"}
    assert await rows(target.database) == before


async def missing_is_named(target: Target, method: MethodDescriptor) -> None:
    """An empty request: INVALID_ARGUMENT naming the resource, or the message that holds its name."""
    before = await rows(target.database)
    with pytest.raises(InvalidArgument) as refused:
        await target.call(method, GetMessageClass(method.input_type)())
    bound, _ = binding(method)
    assert {violation.field for violation in refused.value.fields} & {bound, bound.partition(".")[0]}
    assert await rows(target.database) == before


async def unknown_is_not_found(target: Target, method: MethodDescriptor) -> None:
    """An id of nothing: NOT_FOUND."""
    before = await rows(target.database)
    with pytest.raises(NotFound):
        await target.call(method, target.request(method))
    assert await rows(target.database) == before


async def elsewhere_says_nothing(target: Target, method: MethodDescriptor, theirs: str) -> None:
    """Another site's object `theirs`, and one that is not there: PERMISSION_DENIED in the same words."""
    before = await rows(target.database)
    texts = set()
    for ids in (theirs, target.new_id()):
        with pytest.raises(PermissionDenied) as refused:
            await target.call(method, request(method, target.filled, site=target.elsewhere, ids=ids))
        texts.add(str(refused.value))
    assert len(texts) == 1
    assert await rows(target.database) == before


async def bytes_are_refused(target: Target, method: MethodDescriptor) -> None:
    """Garbage, a truncated message and 10 MiB: a clear error and nothing stored."""
    before = await rows(target.database)
    whole = target.request(method).SerializeToString()
    async with grpc.aio.insecure_channel(target.address) as channel:
        send = channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}", None, None)
        for body in (b"\xff\xff\xff\xff garbage", whole[: len(whole) // 2], b"\x0a" + bytes(64), b"\x00" * TEN_MIB):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await send(body, metadata=[("authorization", f"Bearer {target.token}")], timeout=10)
            clear = {grpc.StatusCode.INVALID_ARGUMENT}
            if len(body) >= TEN_MIB:
                clear.add(grpc.StatusCode.RESOURCE_EXHAUSTED)  # the transport's own limit
            assert refused.value.code() in clear, refused.value
    assert await rows(target.database) == before


async def refusal_is_typed(target: Target, method: MethodDescriptor) -> None:
    """An empty request, of a read too, is never answered with a fault of ours."""
    with pytest.raises(KefuError) as refused:
        await target.call(method, GetMessageClass(method.input_type)())
    assert refused.value.code is not grpc.StatusCode.INTERNAL
