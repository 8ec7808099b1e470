"""Signatures as in Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
_BYTES: Final = 32


def new_secret() -> str:
    """A new signing secret, "whsec_" and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def sign(signing_secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One entry of the header webhook-signature."""
    key = base64.b64decode(signing_secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(signing_secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; while a secret is being changed there is a signature by each."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(one, message_id, timestamp, body) for one in signing_secrets),
    }
