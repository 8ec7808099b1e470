"""One event of a stream, as it goes over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from services.gateway.transcode.json_form import to_json

HEARTBEAT: Final = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Item:
    """A response encoded once for all its readers. A heartbeat moves the cursor and carries no data."""

    cursor: str
    data: bytes
    heartbeat: bool


def encode(response: Message) -> Item:
    """The SSE form: `id` is the cursor, `data` the response as JSON."""
    cursor = str(getattr(response, "cursor", ""))
    heartbeat = [field.name for field, _ in response.ListFields()] in ([], ["cursor"])
    # A cursor is ours, but a line break in it would begin another field.
    safe = "".join(character for character in cursor if character.isprintable())
    head = f"id: {safe}\n".encode() if safe else b""
    if heartbeat:
        return Item(cursor, (head or HEARTBEAT[:-1]) + b"\n", heartbeat=True)
    return Item(cursor, head + b"data: " + to_json(response) + b"\n\n", heartbeat=False)
