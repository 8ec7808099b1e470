"""Protobuf messages as text for logs and diagnostics, with every field marked `debug_redact` masked."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

MASK: Final = "***"
_MAX_TEXT: Final = 200


def redacted(message: Message) -> dict[str, Any]:
    """The set fields of a message and those below; marked ones read "***", long texts are cut at 200 characters."""
    hidden = _hidden(message.DESCRIPTOR)
    shown: dict[str, Any] = {}
    for field, value in message.ListFields():
        shown[field.name] = MASK if field.name in hidden else _value(field, value)
    return shown


@cache
def _hidden(descriptor: Descriptor) -> frozenset[str]:
    return frozenset(field.name for field in descriptor.fields if field.GetOptions().debug_redact)


def _value(field: FieldDescriptor, value: Any) -> Any:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        if message.fields_by_name["value"].message_type is None:
            return {str(key): _scalar(item) for key, item in value.items()}
        return {str(key): redacted(item) for key, item in value.items()}
    one = _scalar if message is None else redacted
    return [one(item) for item in value] if field.is_repeated else one(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        return value[:_MAX_TEXT] + "…"
    return value
