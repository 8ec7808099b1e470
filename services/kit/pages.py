"""Pagination (AIP-158): page sizes, and opaque tokens that hold a keyset position and belong to one listing only."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

import msgspec
from google.protobuf.message import Message
from kefu.common.v1 import errors_pb2

from services.kit.errors.tree import InvalidArgument

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 1000
_HASH_BYTES: Final = 8
_MAX_TOKEN: Final = 2048


def page_size(wanted: int, *, default: int = DEFAULT_SIZE, most: int = MAX_SIZE) -> int:
    """The size to use: `default` for 0, at most `most`; raises InvalidArgument for a negative one."""
    if wanted < 0:
        raise InvalidArgument.field("page_size", "must not be negative", "page_size")
    return min(wanted or default, most)


def encode(request: Message, position: list[Any]) -> str:
    """The token of the page after `position` (the last row's sort keys: texts, numbers, times) of this listing."""
    return base64.urlsafe_b64encode(_binding(request) + msgspec.json.encode(position)).decode().rstrip("=")


def decode(request: Message) -> list[Any] | None:
    """The position in the request's `page_token`, None for the first page.

    Times come back as ISO texts. Raises InvalidArgument (PAGE_TOKEN_MISMATCH) for a token of another listing, or none
    of ours. The token is no secret and grants nothing: every page is authorised and filtered like the first.
    """
    token: str = request.page_token  # type: ignore[attr-defined]
    if not token:
        return None
    try:
        data = base64.b64decode(token[:_MAX_TOKEN] + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        binding, position = data[:_HASH_BYTES], msgspec.json.decode(data[_HASH_BYTES:], type=list[Any])
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidArgument(errors_pb2.ERROR_REASON_PAGE_TOKEN_MISMATCH) from error
    if binding != _binding(request):
        raise InvalidArgument(errors_pb2.ERROR_REASON_PAGE_TOKEN_MISMATCH)
    return position


def _binding(request: Message) -> bytes:
    """A hash of the listing's arguments; size and token may change from page to page (AIP-158)."""
    arguments = type(request)()
    arguments.CopyFrom(request)
    for free in {"page_token", "page_size"}.intersection(request.DESCRIPTOR.fields_by_name):
        arguments.ClearField(free)
    name = request.DESCRIPTOR.full_name.encode()
    return hashlib.blake2b(name + arguments.SerializeToString(deterministic=True), digest_size=_HASH_BYTES).digest()
