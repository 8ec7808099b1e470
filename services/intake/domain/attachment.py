"""Files in conversations: what is taken, judged by the content and not by the name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

MOST_BYTES = 2 * 1024 * 1024
MOST_PER_CONVERSATION = 100

# Characters that no text has, but binary files do; tab, line feed, form feed and carriage return stay.
_CONTROL = frozenset(range(32)) - {9, 10, 12, 13} | {127}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it is listed, without its content. `sha256` is hexadecimal."""

    site: str
    conversation: str
    id: str
    file_name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


def is_what_it_claims(media_type: str, content: bytes) -> bool:
    """Return whether the content begins as a file of this media type does; for text, whether all is UTF-8 text."""
    test = _SIGNATURES.get(media_type)
    return test is not None and test(content)


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _begins(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signatures)


def _is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not _CONTROL.intersection(content)


_SIGNATURES: dict[str, Callable[[bytes], bool]] = {
    "image/png": _begins(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _begins(b"\xff\xd8\xff"),
    "image/gif": _begins(b"GIF87a", b"GIF89a"),
    "image/webp": _is_webp,
    "application/pdf": _begins(b"%PDF-"),
    "text/plain": _is_text,
}
