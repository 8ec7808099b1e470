"""JSON text and query parameters → plain values that protobuf's JSON mapping understands, every limit checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from kefu.common.v1 import errors_pb2

from services.gateway.transcode.routes import is_repeated
from services.kit.errors import InvalidArgument

MAX_DEPTH: Final = 20
# Messages that JSON writes as one string or number, so that a query parameter can hold them.
_WRITTEN_AS_TEXT: Final = frozenset(
    {"google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"}
    | {f"google.protobuf.{kind}Value" for kind in ("String", "Bytes", "Int32", "Int64", "UInt32", "UInt64", "Double")}
)
_FLAGS: Final = {"true": True, "false": False}


def malformed(detail: str) -> InvalidArgument:
    """The request is no readable JSON request; `detail` says why, in words that name no personal data."""
    return InvalidArgument(errors_pb2.ERROR_REASON_MALFORMED_REQUEST, {"detail": detail})


def read_json(body: bytes) -> Any:
    """Parse a JSON body; raises InvalidArgument for anything but one well-formed value of bounded depth.

    Repeated keys, NaN and NUL characters are refused: they would mean different things to different readers.
    """
    try:
        value = json.loads(body, object_pairs_hook=_object, parse_constant=_constant)
    except InvalidArgument:
        raise
    except UnicodeDecodeError as fault:
        raise malformed("the body is not UTF-8") from fault
    except RecursionError as fault:
        raise malformed(f"the body is nested deeper than {MAX_DEPTH}") from fault
    except ValueError as fault:
        where = f" at line {fault.lineno}, column {fault.colno}" if isinstance(fault, json.JSONDecodeError) else ""
        raise malformed(f"the body is not JSON{where}") from fault
    check_tree(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise malformed("the body repeats a key in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise malformed(f"{name} is not JSON")


def check_tree(value: Any) -> None:
    """Refuse nesting beyond MAX_DEPTH and text that no database stores (NUL, lone surrogates)."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, str):
                check_text(one)
            elif isinstance(one, dict):
                deeper += one.keys()
                deeper += one.values()
            elif isinstance(one, list):
                deeper += one
        level = deeper
    if level:
        raise malformed(f"the body is nested deeper than {MAX_DEPTH}")


def check_text(text: str) -> None:
    """Refuse NUL and lone surrogates."""
    if "\x00" in text:
        raise malformed("a text contains the character NUL")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise malformed("a text contains half of a surrogate pair")


def query_tree(parameters: Iterable[tuple[str, str]], message: Descriptor, *, taken: Iterable[str]) -> dict[str, Any]:
    """Query parameters as the JSON object of a request message.

    Names are lowerCamelCase or as in the proto, dotted for nested fields; a repeated field is a repeated parameter.
    `taken` are fields that the path or the body fills. Raises InvalidArgument naming the parameter.
    """
    tree: dict[str, Any] = {}
    occupied = {name.split(".", 1)[0] if "." not in name else name for name in taken}
    for name, text in parameters:
        check_text(name)
        check_text(text)
        owners, field = _find(message, name)
        if ".".join([*(owner.name for owner in owners), field.name]) in occupied or (
            owners and owners[0].name in occupied
        ):
            raise InvalidArgument.field(name, "is given by the path or the body already")
        place = tree
        for owner in owners:
            place = place.setdefault(owner.json_name, {})
        value = _value(field, name, text)
        if is_repeated(field):
            place.setdefault(field.json_name, []).append(value)
        elif field.json_name in place:
            raise InvalidArgument.field(name, "is given twice")
        else:
            place[field.json_name] = value
    return tree


def _find(message: Descriptor, name: str) -> tuple[list[FieldDescriptor], FieldDescriptor]:
    owners: list[FieldDescriptor] = []
    *before, last = name.split(".")
    for part in before:
        owner = _field(message, part)
        if owner is None or owner.message_type is None or is_repeated(owner):
            raise InvalidArgument.field(name, "is not a parameter of this method")
        owners.append(owner)
        message = owner.message_type
    field = _field(message, last)
    if field is None:
        raise InvalidArgument.field(name, "is not a parameter of this method")
    return owners, field


def _field(message: Descriptor, name: str) -> FieldDescriptor | None:
    return message.fields_by_camelcase_name.get(name) or message.fields_by_name.get(name)


def is_text(message: Descriptor) -> bool:
    """Whether JSON writes a message as one string or number."""
    return message.full_name in _WRITTEN_AS_TEXT


def _value(field: FieldDescriptor, name: str, text: str) -> Any:
    if field.message_type is not None and not is_text(field.message_type):
        raise InvalidArgument.field(name, "cannot be a query parameter; give its fields, dotted")
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in _FLAGS:
            raise InvalidArgument.field(name, "must be true or false")
        return _FLAGS[text]
    if field.enum_type is not None and text.lstrip("-").isdecimal() and text.isascii() and len(text) < 11:
        return int(text)
    return text
