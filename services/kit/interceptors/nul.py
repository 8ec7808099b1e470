"""The character NUL in a text: proto3 takes it, PostgreSQL stores none, so that it is refused by name beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.kit.errors.tree import FieldViolation, InvalidArgument


def refuse_nul(message: Message) -> None:
    """Raise InvalidArgument naming every text that contains NUL; bytes may."""
    if paths := list(_texts_with_nul(message, "")):
        raise InvalidArgument(
            fields=[FieldViolation(path, "must not contain the character NUL", "string.nul") for path in paths]
        )


def _texts_with_nul(message: Message, prefix: str) -> Iterator[str]:
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield from _in(key, f"{path}[{key!r}]")
                yield from _in(item, f"{path}[{key!r}]")
        elif field.is_repeated:
            if field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE}:
                for index, item in enumerate(value):
                    yield from _in(item, f"{path}[{index}]")
        else:
            yield from _in(value, path)


def _in(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Message):
        yield from _texts_with_nul(value, f"{path}.")
    elif isinstance(value, str) and "\0" in value:
        yield path
