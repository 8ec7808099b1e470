"""Random secrets and what is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

_BYTES: Final = 32


def new_secret() -> str:
    """256 random bits, safe in URLs and cookies."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """What the database keeps of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def mac(key: str, purpose: str, *parts: str) -> str:
    """A keyed code over parts; `purpose` keeps codes of different uses apart, lengths keep the parts apart."""
    code = hmac.new(key.encode(), purpose.encode(), hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        code.update(len(data).to_bytes(4, "big") + data)
    return code.hexdigest()


def equal(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
