"""Personal data at rest: AES-256-GCM envelopes and a blind index for look-up.

Each record has a data key of its own, which is wrapped by a key-encryption key from a file; rotating that key rewraps
data keys and leaves the records' ciphertext as it is. The blind index is a keyed hash: equal values have equal
indexes, nothing can be read from them, and only equality can be asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_WRAPPED_BYTES = _NONCE_BYTES + KEY_BYTES + 16
_VERSION = 1


class CryptoError(ValueError):
    """A key file, a key id or a sealed value cannot be used; the text names which, never a value."""


@dataclass(frozen=True)
class Keys:
    """Key-encryption keys by id, which of them seals new records, and the key of the blind index."""

    current: str
    wrapping: Mapping[str, bytes]
    index: bytes

    def __post_init__(self) -> None:
        """Check the keys."""
        if self.current not in self.wrapping:
            raise CryptoError(f"the current key {self.current!r} is not among the keys")
        if any(len(key) != KEY_BYTES for key in [*self.wrapping.values(), self.index]):
            raise CryptoError(f"every key must have {KEY_BYTES} bytes")
        if any(not 0 < len(name.encode()) < 256 for name in self.wrapping):
            raise CryptoError("a key id must have 1 to 255 bytes")

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read `{"current": id, "keys": {id: base64}, "index": base64}`; raises CryptoError naming the file."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            wrapping = {name: base64.b64decode(key, validate=True) for name, key in stored["keys"].items()}
            return cls(stored["current"], wrapping, base64.b64decode(stored["index"], validate=True))
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise CryptoError(f"{path}: no usable key file ({type(error).__name__})") from error

    def write(self, path: Path) -> None:
        """Replace a key file, so that readers see the old or the new one whole; only its owner may read it."""
        plain = {
            "current": self.current,
            "keys": {name: _base64(key) for name, key in self.wrapping.items()},
            "index": _base64(self.index),
        }
        draft = path.with_name(f".{path.name}.draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(plain))
        draft.replace(path)

    def added(self, key_id: str) -> Keys:
        """With one more key, which seals nothing yet. Raises CryptoError when the id is taken."""
        if key_id in self.wrapping:
            raise CryptoError(f"there is a key {key_id!r} already")
        return Keys(self.current, {**self.wrapping, key_id: os.urandom(KEY_BYTES)}, self.index)

    def using(self, key_id: str) -> Keys:
        """With another key for what is sealed from now on. Raises CryptoError when there is no such key."""
        return Keys(key_id, self.wrapping, self.index)

    def without(self, key_id: str) -> Keys:
        """Without a key: what it still seals cannot be read any more. Raises CryptoError for the current one."""
        return Keys(self.current, {name: key for name, key in self.wrapping.items() if name != key_id}, self.index)

    @classmethod
    def create(cls, path: Path, key_id: str) -> Keys:
        """Make a new key file, readable by its owner only; raises FileExistsError rather than overwrite one."""
        fresh = {"current": key_id, "keys": {key_id: _base64(os.urandom(KEY_BYTES))}, "index": _base64(os.urandom(32))}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(fresh, file)
        return cls.read(path)


class Vault:
    """Seals and opens values, and computes their blind indexes.

    `purpose` (for example `staffing.people.phone`) and `record` (the row's id) are bound into the seal: a ciphertext
    moved to another column or row does not open.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._ciphers = {name: AESGCM(key) for name, key in keys.wrapping.items()}

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        return self._keys.current

    def seal(self, plain: str, *, purpose: str, record: str) -> bytes:
        """Encrypt a text: version, key id, wrapped data key, nonce, ciphertext."""
        context = _context(purpose, record)
        data_key, nonce = AESGCM.generate_key(KEY_BYTES * 8), os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(data_key).encrypt(nonce, plain.encode(), context)
        return self._header() + self._wrap(data_key, context) + nonce + ciphertext

    def open(self, sealed: bytes, *, purpose: str, record: str) -> str:
        """Decrypt; raises CryptoError when the key is unknown or the value was changed or moved."""
        context = _context(purpose, record)
        key_id, wrapped, rest = _parts(sealed)
        data_key = self._unwrap(key_id, wrapped, context)
        try:
            return AESGCM(data_key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], context).decode()
        except InvalidTag as error:
            raise CryptoError("a sealed value was changed or belongs elsewhere") from error

    def rewrap(self, sealed: bytes, *, purpose: str, record: str) -> bytes:
        """Return the value under the current key-encryption key; the record's own ciphertext stays."""
        context = _context(purpose, record)
        key_id, wrapped, rest = _parts(sealed)
        if key_id == self._keys.current:
            return sealed
        return self._header() + self._wrap(self._unwrap(key_id, wrapped, context), context) + rest

    def index(self, plain: str, *, purpose: str) -> bytes:
        """Return the 32-byte blind index of a text; normalise it (spaces, case, country code) before."""
        message = len(purpose.encode()).to_bytes(4) + purpose.encode() + plain.encode()
        return hmac.digest(self._keys.index, message, hashlib.sha256)

    def _header(self) -> bytes:
        key_id = self._keys.current.encode()
        return bytes([_VERSION, len(key_id)]) + key_id

    def _wrap(self, data_key: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[self._keys.current].encrypt(nonce, data_key, context)

    def _unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        if key_id not in self._ciphers:
            raise CryptoError(f"the key {key_id!r} is not in the key file")
        try:
            return self._ciphers[key_id].decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], context)
        except InvalidTag as error:
            raise CryptoError("a sealed value was changed or belongs elsewhere") from error


def seal_part(data_key: bytes, part: bytes, *, place: str) -> bytes:
    """Seal a piece of something large with a data key of its own (32 bytes), bound to its place: nonce, ciphertext.

    The data key is kept sealed by the vault; whoever destroys it has destroyed all pieces.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(data_key).encrypt(nonce, part, place.encode())


def open_part(data_key: bytes, sealed: bytes, *, place: str) -> bytes:
    """Open a piece; raises CryptoError when it was changed or moved."""
    try:
        return AESGCM(data_key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
    except InvalidTag as error:
        raise CryptoError("a sealed piece was changed or belongs elsewhere") from error


def key_id_of(sealed: bytes) -> str:
    """Return which key-encryption key a sealed value needs; for finding what a rotation has left to do."""
    return _parts(sealed)[0]


def _parts(sealed: bytes) -> tuple[str, bytes, bytes]:
    if len(sealed) < 2 or sealed[0] != _VERSION:
        raise CryptoError("not a sealed value")
    start = 2 + sealed[1]
    wrapped, rest = sealed[start : start + _WRAPPED_BYTES], sealed[start + _WRAPPED_BYTES :]
    if len(rest) < _NONCE_BYTES:
        raise CryptoError("not a sealed value")
    return sealed[2:start].decode(errors="replace"), wrapped, rest


def _context(purpose: str, record: str) -> bytes:
    return len(purpose.encode()).to_bytes(4) + purpose.encode() + record.encode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
