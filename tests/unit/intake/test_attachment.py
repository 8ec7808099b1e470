from __future__ import annotations

import pytest

from services.intake.domain.attachment import is_what_it_claims

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/png", PNG),
        ("image/jpeg", b"\xff\xd8\xff\xe0" + bytes(9)),
        ("image/gif", b"GIF89a" + bytes(9)),
        ("image/webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
        ("application/pdf", b"%PDF-1.7\n"),
        ("text/plain", "订单号：123\r\n\t谢谢".encode()),
    ],
)
def test_each_kind_is_known_by_its_content_and_taken_for_no_other(media_type: str, content: bytes) -> None:
    kinds = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"]
    assert is_what_it_claims(media_type, content)
    assert not any(is_what_it_claims(other, content) for other in kinds if other != media_type)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("text/plain", b"\xff\xfe\x00"),
        ("text/plain", b"MZ\x90\x00"),
        ("text/plain", b"text with \x00 in it"),
        ("image/png", b"<svg onload=alert(1)>"),
        ("image/webp", b"RIFF\x00\x00\x00\x00WAVE"),
        ("text/html", b"<html>"),
        ("image/svg+xml", b"<svg/>"),
        ("image/gif", b"GIF"),
    ],
)
def test_what_is_something_else_is_refused(media_type: str, content: bytes) -> None:
    assert not is_what_it_claims(media_type, content)
