"""Unknown enum values: proto3 accepts any number, we do not.

The walk is compiled once per message type; types without enums below them cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.kit.errors.tree import FieldViolation, InvalidArgument

# Adds a violation for each unknown value in the message to the list; the text is the path so far.
_Walk = Callable[[Any, str, list[FieldViolation]], None]


def known_enums(descriptor: Descriptor) -> Callable[[Any], None] | None:
    """A check that raises InvalidArgument naming every unknown enum value; None for a type without enums."""
    walk = _compile(descriptor, {})
    if walk is None:
        return None

    def check(message: Any) -> None:
        violations: list[FieldViolation] = []
        walk(message, "", violations)
        if violations:
            raise InvalidArgument(fields=violations)

    return check


def _compile(descriptor: Descriptor, done: dict[str, _Walk | None]) -> _Walk | None:
    if descriptor.full_name in done:
        return done[descriptor.full_name]
    if not _has_enums(descriptor, set()):
        done[descriptor.full_name] = None
        return None
    parts: list[_Walk] = []

    def walk(message: Any, path: str, violations: list[FieldViolation]) -> None:
        for part in parts:
            part(message, path, violations)

    # Noted before its fields are compiled: a type may contain itself.
    done[descriptor.full_name] = walk
    for field in descriptor.fields:
        part = _field(field, done)
        if part is not None:
            parts.append(part)
    return walk


def _has_enums(descriptor: Descriptor, seen: set[str]) -> bool:
    if descriptor.full_name in seen:
        return False
    seen.add(descriptor.full_name)
    return any(
        field.type == FieldDescriptor.TYPE_ENUM
        or (field.message_type is not None and _has_enums(field.message_type, seen))
        for field in descriptor.fields
    )


def _field(field: FieldDescriptor, done: dict[str, _Walk | None]) -> _Walk | None:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        value = message.fields_by_name["value"]
        if value.type == FieldDescriptor.TYPE_ENUM:
            return partial(_map_of_enums, field.name, _numbers(value))
        inner = _compile(value.message_type, done) if value.message_type is not None else None
        return partial(_map_of_messages, field.name, inner) if inner is not None else None
    if field.type == FieldDescriptor.TYPE_ENUM:
        return partial(_repeated_enum if field.is_repeated else _enum, field.name, _numbers(field))
    inner = _compile(message, done) if message is not None else None
    if inner is None:
        return None
    return partial(_repeated_message if field.is_repeated else _message, field.name, inner)


def _numbers(field: FieldDescriptor) -> frozenset[int]:
    return frozenset(field.enum_type.values_by_number) if field.enum_type is not None else frozenset()


def _unknown(path: str, value: int) -> FieldViolation:
    return FieldViolation(path, f"{value} is no value of this enum", "enum.known")


def _enum(name: str, known: frozenset[int], message: Any, path: str, violations: list[FieldViolation]) -> None:
    value = getattr(message, name)
    if value not in known:
        violations.append(_unknown(path + name, value))


def _repeated_enum(name: str, known: frozenset[int], message: Any, path: str, violations: list[FieldViolation]) -> None:
    for index, value in enumerate(getattr(message, name)):
        if value not in known:
            violations.append(_unknown(f"{path}{name}[{index}]", value))


def _map_of_enums(name: str, known: frozenset[int], message: Any, path: str, violations: list[FieldViolation]) -> None:
    for key, value in getattr(message, name).items():
        if value not in known:
            violations.append(_unknown(f"{path}{name}[{key!r}]", value))


def _message(name: str, walk: _Walk, message: Any, path: str, violations: list[FieldViolation]) -> None:
    if message.HasField(name):
        walk(getattr(message, name), f"{path}{name}.", violations)


def _repeated_message(name: str, walk: _Walk, message: Any, path: str, violations: list[FieldViolation]) -> None:
    for index, item in enumerate(getattr(message, name)):
        walk(item, f"{path}{name}[{index}].", violations)


def _map_of_messages(name: str, walk: _Walk, message: Any, path: str, violations: list[FieldViolation]) -> None:
    for key, item in getattr(message, name).items():
        walk(item, f"{path}{name}[{key!r}].", violations)
