"""Containers that are whole and not, text with personal data, parts and ranges."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.qa.domain import content, masking, media
from services.qa.domain.content import PART_BYTES


def box(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 8).to_bytes(4) + kind + body


def page(flags: int, body: bytes) -> bytes:
    return b"OggS\0" + bytes([flags]) + b"\0" * 20 + bytes([1, len(body)]) + body


MP4 = box(b"ftyp", b"isom" + b"\0" * 8) + box(b"moov", b"\0" * 40) + box(b"mdat", b"\7" * 500)
WAV = b"RIFF" + (36 + 64).to_bytes(4, "little") + b"WAVE" + b"\0" * (36 + 64 - 4)
OGG = page(2, b"head") + page(4, b"tail")
_SEGMENT = b"\x18\x53\x80\x67" + bytes([0x80 | 40]) + b"\1" * 40
WEBM = b"\x1a\x45\xdf\xa3" + bytes([0x80 | 8]) + b"\x42\x82\x84webm\0" + _SEGMENT
WHOLE = {"video/mp4": MP4, "audio/mp4": MP4, "audio/wav": WAV, "audio/ogg": OGG, "video/webm": WEBM}


async def judge(media_type: str, data: bytes) -> str:
    """What is wrong with a file; empty for nothing."""

    async def read(start: int, length: int) -> bytes:
        return data[start : start + length]

    try:
        media.check_head(media_type, data[:64])
        await media.check(media_type, len(data), read)
    except media.MediaError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("media_type", WHOLE)
async def test_a_whole_file_is_taken_and_every_shorter_one_refused(media_type: str) -> None:
    data = WHOLE[media_type]
    assert await judge(media_type, data) == ""
    for length in range(1, len(data)):
        assert await judge(media_type, data[:length]), length


@pytest.mark.parametrize("media_type", WHOLE)
@pytest.mark.parametrize(
    "data", [b"MZ" + b"\0" * 90, b"<html><script>alert(1)</script>" * 4, b"\x7fELF" * 30, b"\0" * 99]
)
async def test_something_else_is_refused_by_its_first_bytes(media_type: str, data: bytes) -> None:
    assert "does not begin like" in await judge(media_type, data)


@pytest.mark.parametrize(
    "data",
    [
        box(b"ftyp", b"isom") + b"\xff\xff\xff\xffmdat" + b"\0" * 9,
        box(b"ftyp", b"isom") + (1).to_bytes(4) + b"mdat" + (2**63).to_bytes(8),
        box(b"ftyp", b"isom") + (2).to_bytes(4) + b"moov" + b"\0" * 9,
        box(b"ftyp", b"isom") + box(b"mdat", b"\0" * 20),
        MP4 + b"\0" * 3,
    ],
)
async def test_boxes_that_lie_are_refused(data: bytes) -> None:
    assert await judge("video/mp4", data)


@given(st.binary(max_size=300), st.sampled_from(sorted(WHOLE)))
async def test_no_bytes_bring_a_check_down(data: bytes, media_type: str) -> None:
    await judge(media_type, WHOLE[media_type][:20] + data)


@given(st.integers(0, 5 * PART_BYTES), st.integers(0, 3 * PART_BYTES))
def test_a_range_is_covered_by_its_parts(start: int, length: int) -> None:
    pieces = content.covering(start, length)
    at = start
    for number, first, last in pieces:
        assert (number - 1) * PART_BYTES + first == at
        assert 0 <= first < last <= PART_BYTES
        at += last - first
    assert at == start + length


def test_the_checksum_is_that_of_the_parts() -> None:
    data = bytes(range(256)) * 5000
    digests = [hashlib.sha256(data[at : at + PART_BYTES]).digest() for at in range(0, len(data), PART_BYTES)]
    assert content.checksum_of(data) == content.checksum(digests) == hashlib.sha256(b"".join(digests)).hexdigest()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("我的手机是13800138000，谢谢", "我的手机是***，谢谢"),
        ("+86 138-0013-8000", "***"),
        ("138 0013 8000 下午打", "*** 下午打"),
        ("１３８００１３８０００", "***"),
        ("座机 021-62345678", "座机 ***"),
        ("身份证 11010519491231002X 号", "身份证 *** 号"),
        ("卡号 6222 0212 3456 7890 123", "卡号 ***"),
        ("发到 wang.fang@example.com.cn 吧", "发到 *** 吧"),
        ("中山路188号3栋502室", "中山路***号***栋***室"),
        ("订单 2026112500012345 什么时候发", "订单 *** 什么时候发"),
        ("一共 199 元，3 天到", "一共 199 元，3 天到"),
        ("2026-11-25 18:30 前", "2026-11-25 18:30 前"),
    ],
)
def test_what_can_be_told_by_its_form_is_hidden(text: str, shown: str) -> None:
    assert masking.masked(text) == shown
