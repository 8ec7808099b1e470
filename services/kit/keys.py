"""Public keys by `kid`, read from mounted files, and again when they change: keys rotate without a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_RECHECK_SECONDS: Final = 30.0
_UNKNOWN_RECHECK_SECONDS: Final = 1.0


class KeySetError(ValueError):
    """The key files cannot be used; names file and fault."""


class KeySet:
    """Ed25519 public keys by `kid`.

    `path` is a JWKS file (RFC 7517) or a folder of `<kid>.pem`. It is read again at most every second when a token
    names an unknown kid, and every 30 s otherwise. A rotation publishes the new key first, signs with it next, and
    removes the old one last; removing a key voids the tokens that it had vouched for (`generation` moves).
    A reload that fails keeps the keys in force.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._keys = read_keys(path)
        self._read_at = now()
        self.generation = 0
        self.last_fault: str | None = None

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key named `kid`, or None when it is unknown even after a fresh look at the files."""
        age = self._now() - self._read_at
        if age >= (_RECHECK_SECONDS if kid in self._keys else _UNKNOWN_RECHECK_SECONDS):
            self.reload()
        return self._keys.get(kid)

    def reload(self) -> None:
        """Read the files again; keeps the old keys and notes `last_fault` when they cannot be used."""
        self._read_at = self._now()
        try:
            keys = read_keys(self._path)
        except KeySetError as fault:
            self.last_fault = str(fault)
            return
        self.last_fault = None
        if any(_raw(keys[kid]) != _raw(key) if kid in keys else True for kid, key in self._keys.items()):
            self.generation += 1
        self._keys = keys


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()


def read_keys(path: Path) -> Mapping[str, Ed25519PublicKey]:
    """Read a JWKS file or a folder of `<kid>.pem`; raises KeySetError naming file and fault."""
    try:
        if path.is_dir():
            keys = {file.stem: _from_pem(file) for file in sorted(path.glob("*.pem"))}
        else:
            keys = {entry["kid"]: _from_jwk(entry, path) for entry in json.loads(path.read_text())["keys"]}
    except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as fault:
        raise KeySetError(f"{path}: {fault}") from fault
    if not keys:
        raise KeySetError(f"{path}: holds no key")
    return keys


def _from_pem(file: Path) -> Ed25519PublicKey:
    key = serialization.load_pem_public_key(file.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{file.name} is not an Ed25519 public key")  # noqa: TRY004 - the value in the file is wrong
    return key


def _from_jwk(entry: Mapping[str, Any], path: Path) -> Ed25519PublicKey:
    key = jwt.PyJWK(dict(entry), algorithm="EdDSA").key
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"key {entry['kid']} in {path.name} is not Ed25519")  # noqa: TRY004
    return key


def new_key_pair(folder: Path, kid: str) -> Path:
    """Make `<kid>.key` (private, mode 600) and `public/<kid>.pem` in `folder`; returns the private file."""
    key = Ed25519PrivateKey.generate()
    (folder / "public").mkdir(parents=True, exist_ok=True)
    private = folder / f"{kid}.key"
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "public" / f"{kid}.pem").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private
