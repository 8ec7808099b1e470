"""JSON as the gateway writes it says what protobuf's own mapping says, for every message of the contracts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import Message

from services.gateway.app import contract_image
from services.gateway.transcode.json_form import to_json
from services.gateway.transcode.routes import is_repeated, read_routes

DEEPEST = 3
NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: (0, -1, 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (0, -1, 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, -0.5, 1e300, 0.1),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
}
INSTANTS = ((0, 0), (1_764_063_000, 120_000_000), (-1, 123_456_000), (253_402_300_799, 999_999_999), (1, 1))


def own(message: Message) -> Any:
    return json.loads(to_json(message))


def theirs(message: Message) -> Any:
    text = json_format.MessageToJson(message, ensure_ascii=False, always_print_fields_with_no_presence=True)
    return json.loads(text)


def messages(types: list[Descriptor]) -> Iterator[Descriptor]:
    for one in types:
        if not one.GetOptions().map_entry:
            yield one
        yield from messages(list(one.nested_types))


def contract_types() -> list[Descriptor]:
    read_routes(contract_image())  # imports every contract
    files = descriptor_pb2.FileDescriptorSet.FromString(contract_image())
    pool = descriptor_pool.Default()
    ours = [pool.FindFileByName(file.name) for file in files.file if file.package.startswith("kefu.")]
    return list(messages([one for file in ours for one in file.message_types_by_name.values()]))


def fill(message: Any, chance: random.Random, depth: int = 0) -> Any:
    """Give about two fields in three a value."""
    if isinstance(message, timestamp_pb2.Timestamp):
        message.seconds, message.nanos = chance.choice(INSTANTS)
        return message
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.67:
            _fill(message, field, chance, depth)
    return message


def _fill(message: Any, field: FieldDescriptor, chance: random.Random, depth: int) -> None:
    place, nested = getattr(message, field.name), field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        key, value = nested.fields_by_name["key"], nested.fields_by_name["value"]
        for _ in range(2):
            if value.message_type is None:
                place[_scalar(key, chance)] = _scalar(value, chance)
            else:
                fill(place[_scalar(key, chance)], chance, depth + 1)
    elif nested is not None and nested.full_name.startswith("google.protobuf.") and "Timestamp" not in nested.full_name:
        if not is_repeated(field):
            place.SetInParent()
    elif nested is not None:
        if depth < DEEPEST:
            fill(place.add() if is_repeated(field) else place, chance, depth + 1)
            if not is_repeated(field):
                place.SetInParent()
    elif is_repeated(field):
        place.extend(_scalar(field, chance) for _ in range(2))
    else:
        setattr(message, field.name, _scalar(field, chance))


def _scalar(field: FieldDescriptor, chance: random.Random) -> Any:
    if field.enum_type is not None:
        return chance.choice([*field.enum_type.values_by_number, 4_711])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(5)
    if field.type == FieldDescriptor.TYPE_STRING:
        return chance.choice(["", "你好 👋", 'a"b\\c\n\x01', "</script>\u2028"])
    return chance.choice(NUMBERS[field.cpp_type])


@pytest.mark.parametrize("descriptor", contract_types(), ids=lambda one: one.full_name)
def test_every_message_of_the_contracts_is_written_as_protobuf_writes_it(descriptor: Descriptor) -> None:
    chance = random.Random(descriptor.full_name)
    cls = message_factory.GetMessageClass(descriptor)
    for made in (cls(), *(fill(cls(), chance) for _ in range(8))):
        assert own(made) == theirs(made)


def dynamic(*fields: FieldDescriptorProto) -> type[Message]:
    """A message type with the fields given, which no contract has."""
    name = f"t{len(fields)}_{'_'.join(field.name for field in fields)}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    for number, field in enumerate(fields, 1):
        field.number = number
    made = file.message_type.add(name="Made", field=fields)
    entry = made.nested_type.add(name="FlagsEntry")
    entry.options.map_entry = True
    entry.field.add(
        name="key", number=1, type=FieldDescriptorProto.TYPE_BOOL, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    entry.field.add(
        name="value", number=2, type=FieldDescriptorProto.TYPE_INT64, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{name}.Made"))


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 0.0, 12.5])
def test_numbers_that_json_has_not_are_words(number: float) -> None:
    cls: Any = dynamic(FieldDescriptorProto(name="number", type=FieldDescriptorProto.TYPE_DOUBLE))
    assert repr(own(cls(number=number))) == repr(theirs(cls(number=number)))


def test_maps_by_flag_and_free_structures_are_written_as_protobuf_writes_them() -> None:
    maps = FieldDescriptorProto(name="flags", type_name=".t2_flags_free.Made.FlagsEntry")
    maps.type, maps.label = FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.LABEL_REPEATED
    free = FieldDescriptorProto(name="free", type_name=".google.protobuf.Struct")
    free.type = FieldDescriptorProto.TYPE_MESSAGE
    cls: Any = dynamic(maps, free)
    made = cls(flags={True: 2**60, False: 0})
    made.free.update({"a": [1, None, {"b": "乙"}]})
    assert (
        own(made)
        == theirs(made)
        == {"flags": {"true": str(2**60), "false": "0"}, "free": {"a": [1, None, {"b": "乙"}]}}
    )


def test_a_float_is_refused_because_its_decimals_are_not_a_doubles() -> None:
    cls = dynamic(FieldDescriptorProto(name="share", type=FieldDescriptorProto.TYPE_FLOAT))
    with pytest.raises(TypeError, match=r"share is a float"):
        to_json(cls())
