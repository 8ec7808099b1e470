"""A reply message → an HTTP response: JSON, or the file that it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from services.gateway.transcode.json_form import to_json
from services.gateway.transcode.routes import Route

JSON: Final = "application/json"
# What a browser may show by itself; everything else is only ever saved.
_UNPRINTABLE: Final = re.compile(r"[^\w.\- ]", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """Status, headers and body of a response."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def encode(route: Route, reply: Any, *, accept: str = "", alt: str = "", if_none_match: str = "") -> HttpReply:
    """The response for a reply; a file when `?alt=media` or the Accept header asks for its media type."""
    if route.file_holder is not None:
        holder: Any = getattr(reply, route.file_holder) if route.file_holder else reply
        if alt == "media" or (JSON not in accept and "*/*" not in accept and holder.media_type in accept):
            return _file(holder.media_type, holder.file_name, reply.content)
    headers = {"Content-Type": JSON}
    etag = getattr(reply, "etag", "")
    if etag:
        headers["ETag"] = f'"{etag}"'
        if route.verb == "GET" and headers["ETag"] in [one.strip() for one in if_none_match.split(",")]:
            return HttpReply(304, b"", {"ETag": headers["ETag"]})
    return HttpReply(200, to_json(reply), headers)


def _file(media_type: str, name: str, content: bytes) -> HttpReply:
    plain = _UNPRINTABLE.sub("_", name) or "file"
    headers = {
        "Content-Type": f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return HttpReply(200, content, headers)
