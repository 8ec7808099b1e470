"""Envelope encryption and the blind index."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.crypto import CryptoError, Keys, Vault, key_id_of

KEYS = Keys("k1", {"k1": b"1" * 32}, b"i" * 32)
ROTATED = Keys("k2", {"k1": b"1" * 32, "k2": b"2" * 32}, b"i" * 32)
WHERE = {"purpose": "people.phone", "record": "p1"}


@given(st.text())
def test_what_is_sealed_opens_again(plain: str) -> None:
    vault = Vault(KEYS)
    sealed = vault.seal(plain, **WHERE)
    assert vault.open(sealed, **WHERE) == plain
    assert len(plain.encode()) < 4 or plain.encode() not in sealed


def test_the_same_text_never_looks_the_same() -> None:
    vault = Vault(KEYS)
    assert vault.seal("138", **WHERE) != vault.seal("138", **WHERE)


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    vault = Vault(KEYS)
    sealed = bytearray(vault.seal("138 0013 8000", **WHERE))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CryptoError):
        vault.open(bytes(sealed), **WHERE)


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(CryptoError):
        Vault(KEYS).open(garbage, **WHERE)


@pytest.mark.parametrize(
    "elsewhere", [{"purpose": "people.name", "record": "p1"}, {"purpose": "people.phone", "record": "p2"}]
)
def test_a_value_moved_elsewhere_does_not_open(elsewhere: dict[str, str]) -> None:
    vault = Vault(KEYS)
    with pytest.raises(CryptoError):
        vault.open(vault.seal("138", **WHERE), **elsewhere)


def test_rotation_rewraps_and_the_old_key_can_then_go() -> None:
    old = Vault(KEYS).seal("138", **WHERE)
    vault = Vault(ROTATED)
    assert vault.open(old, **WHERE) == "138"
    new = vault.rewrap(old, **WHERE)
    assert (key_id_of(old), key_id_of(new)) == ("k1", "k2")
    assert vault.rewrap(new, **WHERE) == new
    assert new[-19:] == old[-19:]
    without_old = Vault(Keys("k2", {"k2": b"2" * 32}, b"i" * 32))
    assert without_old.open(new, **WHERE) == "138"
    with pytest.raises(CryptoError, match="k1"):
        without_old.open(old, **WHERE)


def test_the_blind_index_answers_equality_within_one_purpose_only() -> None:
    vault = Vault(KEYS)
    assert vault.index("138", purpose="phone") == vault.index("138", purpose="phone")
    assert vault.index("138", purpose="phone") != vault.index("139", purpose="phone")
    assert vault.index("138", purpose="phone") != vault.index("138", purpose="name")
    assert vault.index("eX", purpose="nam") != vault.index("X", purpose="name")
    other = Vault(dataclasses.replace(KEYS, index=b"j" * 32))
    assert vault.index("138", purpose="phone") != other.index("138", purpose="phone")


def test_a_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.create(path, "k1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keys.read(path) == keys
    with pytest.raises(FileExistsError):
        Keys.create(path, "k1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"current": "k", "keys": {}, "index": ""}',
        '{"current": "k", "keys": {"k": "?"}, "index": ""}',
        '{"current":"k","keys":{"k":"QQ=="},"index":"QQ=="}',
    ],
)
def test_an_unusable_key_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(CryptoError, match=r"keys\.json"):
        Keys.read(path)
    with pytest.raises(CryptoError, match=r"none\.json"):
        Keys.read(tmp_path / "none.json")
