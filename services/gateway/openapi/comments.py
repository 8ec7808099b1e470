"""The comments of the contracts, from the descriptor image's source locations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf import descriptor_pb2

# Field numbers inside descriptor.proto that make up a location's path.
_FILE_MESSAGE: Final = 4
_FILE_ENUM: Final = 5
_FILE_SERVICE: Final = 6
_MESSAGE_FIELD: Final = 2
_MESSAGE_NESTED: Final = 3
_MESSAGE_ENUM: Final = 4
_ENUM_VALUE: Final = 2
_SERVICE_METHOD: Final = 2


def read_comments(image: bytes) -> Mapping[str, str]:
    """Full name of a service, method, message, field, enum or value → its comment in one paragraph per blank line."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image)
    found: dict[str, str] = {}
    for file in files.file:
        texts = {tuple(place.path): _tidy(place.leading_comments) for place in file.source_code_info.location}
        for path, name in _names(file):
            if texts.get(path):
                found[name] = texts[path]
    return found


def _tidy(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for number, message in enumerate(file.message_type):
        yield from _message((_FILE_MESSAGE, number), message, file.package)
    for number, enum in enumerate(file.enum_type):
        yield from _enum((_FILE_ENUM, number), enum, file.package)
    for number, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_FILE_SERVICE, number), name
        for inner, method in enumerate(service.method):
            yield (_FILE_SERVICE, number, _SERVICE_METHOD, inner), f"{name}.{method.name}"


def _message(
    path: tuple[int, ...], message: descriptor_pb2.DescriptorProto, scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{message.name}"
    yield path, name
    for number, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, number), f"{name}.{field.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _message((*path, _MESSAGE_NESTED, number), nested, name)
    for number, enum in enumerate(message.enum_type):
        yield from _enum((*path, _MESSAGE_ENUM, number), enum, name)


def _enum(
    path: tuple[int, ...], enum: descriptor_pb2.EnumDescriptorProto, scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{enum.name}"
    yield path, name
    for number, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUE, number), f"{name}.{value.name}"
