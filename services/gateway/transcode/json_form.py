"""Messages as JSON by protobuf's JSON mapping (protobuf.dev/programming-guides/json), compiled per message type.

`json_format` looks every field up again for every message, which cost the gateway more than the rest of a call; here a
type's fields are turned into a list of steps once. Names are lowerCamelCase, fields without presence are always
written, so that clients see one shape. What JSON writes in a special way (Struct, Any, wrappers) is left to
`json_format`.
"""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from services.gateway.transcode.routes import is_repeated, message_type

Write = Callable[[Any], Any]
Step = tuple[str, str, Write | None]

_SPECIAL: Final = "google.protobuf."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_NUMBERS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_SINT64,
    }
)


def to_json(message: Message) -> bytes:
    """The JSON text of a message, UTF-8."""
    return msgspec.json.encode(writer_of(message.DESCRIPTOR)(message))


@functools.cache
def writer_of(descriptor: Descriptor) -> Write:
    """What turns messages of a type into plain values; raises TypeError for a field of type float.

    A float's shortest decimal form is not the double's: contracts say double.
    """
    if descriptor.full_name == "google.protobuf.Timestamp":
        return _timestamp
    if descriptor.full_name.startswith(_SPECIAL):
        return functools.partial(json_format.MessageToDict, always_print_fields_with_no_presence=True)
    return _Writer(descriptor)


class _Writer:
    """Writes one type. Compiled at the first message, since types may hold each other."""

    __slots__ = ("_descriptor", "_optional", "_steps")

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._steps: tuple[Step, ...] | None = None
        self._optional: tuple[Step, ...] = ()

    def __call__(self, message: Message) -> dict[str, Any]:
        if self._steps is None:
            self._compile()
        written: dict[str, Any] = {}
        for name, key, write in self._steps or ():
            value = getattr(message, name)
            written[key] = value if write is None else write(value)
        for name, key, write in self._optional:
            if message.HasField(name):
                value = getattr(message, name)
                written[key] = value if write is None else write(value)
        return written

    def _compile(self) -> None:
        fields = [(one.has_presence, (one.name, one.json_name, _field(one))) for one in self._descriptor.fields]
        self._optional = tuple(step for optional, step in fields if optional)
        self._steps = tuple(step for optional, step in fields if not optional)


def _field(field: FieldDescriptor) -> Write | None:
    nested = field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        return _map(nested)
    write = _value(field)
    if not is_repeated(field):
        return write
    return list if write is None else lambda values: [write(value) for value in values]


def _map(entry: Descriptor) -> Write:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    name: Write = _flag if key.type == FieldDescriptor.TYPE_BOOL else str
    write = _value(value) or _same
    if value.message_type is None:
        return lambda entries: {name(key): write(value) for key, value in entries.items()}
    return lambda entries: {name(key): write(entries[key]) for key in entries}


def _value(field: FieldDescriptor) -> Write | None:
    """How one value of a field is written; None for what JSON has as it is."""
    if field.type in _TEXT_NUMBERS:
        return str
    if field.type == FieldDescriptor.TYPE_FLOAT:
        raise TypeError(f"{field.full_name} is a float: make it a double")
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _double
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return None if field.message_type is None else writer_of(message_type(field))


def _enum(enum: EnumDescriptor) -> Write:
    names = {number: value.name for number, value in enum.values_by_number.items()}
    return lambda number: names.get(number, number)


def _double(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _bytes(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _flag(key: bool) -> str:
    return "true" if key else "false"


def _same(value: Any) -> Any:
    return value


def _timestamp(message: Any) -> str:
    """RFC 3339 with as many of 0, 3, 6 or 9 decimals as the instant needs."""
    text = _second(message.seconds)
    nanos = message.nanos
    if nanos == 0:
        return text + "Z"
    if nanos % 1_000:
        return f"{text}.{nanos:09d}Z"
    return f"{text}.{nanos // 1_000_000:03d}Z" if nanos % 1_000_000 == 0 else f"{text}.{nanos // 1_000:06d}Z"


@functools.lru_cache(4_096)
def _second(seconds: int) -> str:
    """What one message names often: a conversation, its promises and its last change share their seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
