"""Content of a recording: how it is cut into parts, checksummed and sealed.

Parts have `PART_BYTES` each, the last one what is left. The checksum of a content is the SHA-256 of the SHA-256 digests
of its parts in their order, so that parts may come in any order and on any day. Each part is sealed with the
content's own data key, bound to its place; whoever destroys that key has destroyed every part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

PART_BYTES: Final = 1 << 20
MOST_BYTES: Final = 16 << 30
KEY_PURPOSE: Final = "qa.contents.key"


@dataclass(frozen=True, slots=True)
class Content:
    """What was announced of a content."""

    media_type: str
    size_bytes: int
    sha256: str
    upload: str

    @property
    def parts(self) -> int:
        """How many parts it has."""
        return -(-self.size_bytes // PART_BYTES)

    def place(self, number: int) -> str:
        """What a part is bound to when it is sealed."""
        return f"{self.upload}/{number}"

    def size_of(self, number: int) -> int:
        """Bytes of a part, counted from 1."""
        return PART_BYTES if number < self.parts else self.size_bytes - (self.parts - 1) * PART_BYTES


def checksum(digests: Iterable[bytes]) -> str:
    """The checksum of a content from its parts' SHA-256 digests, hexadecimal."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def checksum_of(content: bytes) -> str:
    """The same from the whole content."""
    pieces = (content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES))
    return checksum(hashlib.sha256(piece).digest() for piece in pieces)


def covering(start: int, length: int) -> list[tuple[int, int, int]]:
    """Which parts hold `length` bytes from `start` on: number, and from where to where within it."""
    found = []
    while length > 0:
        number, within = start // PART_BYTES + 1, start % PART_BYTES
        taken = min(length, PART_BYTES - within)
        found.append((number, within, within + taken))
        start, length = start + taken, length - taken
    return found
