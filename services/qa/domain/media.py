"""Is this content what it says it is, and whole? Containers are walked from outside; nothing in them is decoded.

Sources: RIFF/WAVE (Microsoft and IBM, 1991), Ogg (RFC 3533), ISO base media (ISO/IEC 14496-12), Matroska (RFC 9559).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

Read = Callable[[int, int], Awaitable[bytes]]
"""Reads `length` bytes from `start` on."""

AUDIO_TYPES: Final = frozenset({"audio/wav", "audio/ogg", "audio/mp4"})
VIDEO_TYPES: Final = frozenset({"video/mp4", "video/webm"})
_MOST_BOXES: Final = 100_000
_TAIL: Final = 65_307  # the longest page of Ogg
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"


class MediaError(ValueError):
    """The content is not what it says it is, or not whole; the text is for whoever sent it."""


async def check(media_type: str, size: int, read: Read) -> None:
    """Check a whole content. Raises MediaError."""
    await _CHECKS[media_type](size, read)


def check_head(media_type: str, head: bytes) -> None:
    """Check the first bytes, so that what is something else is refused at once. Raises MediaError."""
    beginnings = {
        "audio/wav": head[:4] == b"RIFF" and head[8:12] == b"WAVE",
        "audio/ogg": head[:4] == b"OggS",
        "audio/mp4": head[4:8] == b"ftyp",
        "video/mp4": head[4:8] == b"ftyp",
        "video/webm": head[:4] == _EBML and b"webm" in head[:64],
    }
    if not beginnings[media_type]:
        raise MediaError(f"the content does not begin like {media_type}")


async def _wave(size: int, read: Read) -> None:
    told = int.from_bytes((await read(4, 4)), "little") + 8
    if told != size:
        raise MediaError(f"the file says that it has {told} bytes, there are {size}")


async def _ogg(size: int, read: Read) -> None:
    tail = await read(max(0, size - _TAIL), min(size, _TAIL))
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        raise MediaError("the last page of the stream is missing")
    segments = tail[at + 26]
    end = at + 27 + segments + sum(tail[at + 27 : at + 27 + segments])
    if end != len(tail) or not tail[at + 5] & 4:
        raise MediaError("the stream ends before its last page")


async def _boxes(size: int, read: Read) -> None:
    at, kinds = 0, set()
    for _ in range(_MOST_BOXES):
        if at == size:
            break
        if at + 8 > size:
            raise MediaError("the file ends within a box")
        header = await read(at, min(16, size - at))
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16])
        elif length == 0:
            length = size - at
        if length < 8 or at + length > size:
            raise MediaError(f"box {kind.decode('ascii', 'replace')} reaches beyond the file's end")
        kinds.add(kind)
        at += length
    if at != size or not {b"ftyp", b"moov", b"mdat"} <= kinds:
        raise MediaError("the file lacks its index (moov) or its content (mdat)")


async def _webm(size: int, read: Read) -> None:
    head = await read(0, min(size, 4096))
    length, width = _vint(head, 4)
    at = 4 + width + length
    if head[at : at + 4] != _SEGMENT:
        raise MediaError("the file has no segment")
    told, width = _vint(head, at + 4)
    unknown = (1 << (7 * width)) - 1
    if told != unknown and at + 4 + width + told != size:
        raise MediaError("the segment ends before or beyond the file's end")


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length size: its value and its bytes."""
    if at >= len(data) or not data[at]:
        raise MediaError("the file ends within its header")
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width]) & ((1 << (7 * width)) - 1)
    return value, width


_CHECKS: Final[Mapping[str, Callable[[int, Read], Awaitable[None]]]] = {
    "audio/wav": _wave,
    "audio/ogg": _ogg,
    "audio/mp4": _boxes,
    "video/mp4": _boxes,
    "video/webm": _webm,
}
