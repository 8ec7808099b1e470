"""SQL of forgetting a customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.kit.db import Transaction

_LOCK: Final = "SELECT id FROM conversations WHERE site = $1 AND customer = ANY ($2::text[]) ORDER BY id FOR UPDATE"
_CONVERSATIONS: Final = """
UPDATE conversations SET customer_name_sealed = '', subject = '', need = '', summary = '', rating_comment = ''
WHERE site = $1 AND id = ANY ($2::text[])
"""
_MESSAGES: Final = "UPDATE messages SET text = '' WHERE site = $1 AND conversation = ANY ($2::text[]) AND text <> ''"
_TIERS: Final = "DELETE FROM customer_tiers WHERE site = $1 AND customer = ANY ($2::text[])"


async def lock(tx: Transaction, site: str, customers: Sequence[str]) -> list[str]:
    """Lock the customers' conversations and return their ids: whoever serves one now waits, and then sees no words."""
    return [row["id"] for row in await tx.fetch(_LOCK, site, list(customers))]


async def overwrite_conversations(tx: Transaction, site: str, conversations: list[str]) -> int:
    """Overwrite names, subjects, needs, summaries and comments; returns how many."""
    return _rows(await tx.execute(_CONVERSATIONS, site, conversations))


async def overwrite_messages(tx: Transaction, site: str, conversations: list[str]) -> int:
    """Overwrite what was said, by whomever; returns how many."""
    return _rows(await tx.execute(_MESSAGES, site, conversations))


async def forget_tiers(tx: Transaction, site: str, customers: Sequence[str]) -> int:
    """Delete the copies of tiers; returns how many."""
    return _rows(await tx.execute(_TIERS, site, list(customers)))


def _rows(tag: str) -> int:
    return int(tag.rsplit(maxsplit=1)[-1])
