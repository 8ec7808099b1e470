"""An HTTP request → the request message of its RPC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.gateway.transcode.routes import Route, is_repeated, message_type
from services.gateway.transcode.values import MAX_DEPTH, check_text, is_text, malformed, query_tree, read_json
from services.kit.errors import InvalidArgument

# Protobuf's JSON reader says where it failed only in words: «at "Request.conversation.state"», «parse state field: ».
_PLACE: Final = re.compile(r'at "[A-Za-z]+\.([A-Za-z0-9_.\[\]]+)"')
_PARTS: Final = re.compile(r"Failed to parse ([A-Za-z0-9_.\[\]]+) field: ")
_UNKNOWN: Final = re.compile(r'has no field named "([^"]*)"')
_MASK: Final = "google.protobuf.FieldMask"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What the transcoder needs of a request, whatever server received it.

    `values` are the path's values, `query` the decoded pairs, `body` the raw bytes; header values are None when absent.
    """

    values: Sequence[str]
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    content_type: str = ""
    idempotency_key: str | None = None
    if_match: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def decode(route: Route, request: HttpRequest) -> Message:
    """Build the request message; raises InvalidArgument naming the field or the fault, never anything else."""
    tree = query_tree(request.query, route.method.input_type, taken=_taken(route))
    message = _parse(tree, route.request_class())
    if route.body:
        _read_body(route, request, message)
    elif request.body.strip():
        raise malformed("this method takes no body")
    for name, value in zip(route.template.fields, request.values, strict=True):
        _set_from_path(message, name, value)
    _set_request_id(message, request.idempotency_key)
    _set_etag(route, message, request.if_match)
    return message


def _taken(route: Route) -> Iterator[str]:
    yield from route.template.fields
    if route.body == "*":
        yield from (one.name for one in route.method.input_type.fields)
    elif route.body:
        yield route.body


def _read_body(route: Route, request: HttpRequest, message: Message) -> None:
    media_type = request.content_type.split(";", 1)[0].strip().lower()
    if request.body and media_type != "application/json":
        raise malformed(f"the body must be application/json, not {media_type[:80] or 'of no type'}")
    value = read_json(request.body) if request.body.strip() else {}
    if not isinstance(value, dict):
        raise malformed("the body must be a JSON object")
    if route.body == "*":
        _parse(value, message)
        return
    target = getattr(message, route.body)
    _parse(value, target, prefix=f"{route.body}.")
    target.SetInParent()
    _derive_mask(route, message, value)


def _derive_mask(route: Route, message: Message, value: dict[str, Any]) -> None:
    """PATCH without update_mask changes what the body names (AIP-134)."""
    mask = route.method.input_type.fields_by_name.get("update_mask")
    if route.verb != "PATCH" or mask is None or message_type(mask).full_name != _MASK:
        return
    if message.HasField("update_mask"):
        return
    inner = message_type(route.method.input_type.fields_by_name[route.body])
    from_path = {name.removeprefix(f"{route.body}.") for name in route.template.fields}
    paths = [path for path in _leaves(value, inner) if path not in from_path and path != "etag"]
    message.update_mask.CopyFrom(FieldMask(paths=paths))  # type: ignore[attr-defined]


def _leaves(value: dict[str, Any], message: Descriptor) -> Iterator[str]:
    for key, inner in value.items():
        one = message.fields_by_camelcase_name.get(key) or message.fields_by_name[key]
        nested = one.message_type
        if nested is None or is_repeated(one) or is_text(nested) or not isinstance(inner, dict) or not inner:
            yield one.name
        else:
            yield from (f"{one.name}.{path}" for path in _leaves(inner, nested))


def _parse(value: dict[str, Any], message: Message, *, prefix: str = "") -> Message:
    if not value:
        return message
    try:
        json_format.ParseDict(value, message, max_recursion_depth=MAX_DEPTH + 1)
    except json_format.ParseError as fault:
        raise _violation(str(fault), prefix) from fault
    except (ValueError, TypeError, AttributeError, OverflowError) as fault:
        raise malformed("a value does not fit its field") from fault
    return message


def _violation(words: str, prefix: str) -> InvalidArgument:
    unknown = _UNKNOWN.search(words)
    place = _PLACE.search(words)
    path = ".".join(_PARTS.findall(words))
    if unknown is not None:
        inside = f"{place[1]}." if place else (f"{path}." if path else "")
        return InvalidArgument.field(f"{prefix}{inside}{unknown[1]}"[:200], "is not a field of this message", "unknown")
    if place is not None:
        path = place[1]
    # The words after the last colon never repeat what was sent, except where they quote it: cut the quotation.
    said = re.sub(r"\s*[\"'].*", "", _PARTS.sub("", words).split(" at ", 1)[0]).rstrip(" :.")
    description = said if said and not said.startswith("Couldn't parse") else "the value does not fit the field's type"
    return InvalidArgument.field(f"{prefix}{path}".rstrip(".") or "body", description, "type")


def _set_from_path(message: Message, name: str, value: str) -> None:
    check_text(value)
    *owners, last = name.split(".")
    for owner in owners:
        message = getattr(message, owner)
    given = getattr(message, last)
    if given and given != value:
        raise InvalidArgument.field(name, "differs from the path")
    try:
        setattr(message, last, value)
    except (TypeError, ValueError) as fault:
        raise InvalidArgument.field(name, "is not a valid value") from fault


def _set_request_id(message: Message, key: str | None) -> None:
    if key is None or "request_id" not in message.DESCRIPTOR.fields_by_name:
        return
    given = message.request_id  # type: ignore[attr-defined]
    if given and given != key:
        raise InvalidArgument.field("request_id", "differs from the header Idempotency-Key")
    message.request_id = key  # type: ignore[attr-defined]


def _set_etag(route: Route, message: Message, if_match: str | None) -> None:
    if if_match is None or if_match.strip() == "*" or not route.etag_field:
        return
    etag = if_match.strip().removeprefix("W/").strip('"')
    *owners, last = route.etag_field.split(".")
    for owner in owners:
        message = getattr(message, owner)
    given = getattr(message, last)
    if given and given != etag:
        raise InvalidArgument.field(route.etag_field, "differs from the header If-Match")
    setattr(message, last, etag)
