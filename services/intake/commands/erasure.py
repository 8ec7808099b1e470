"""Forgetting a customer: every word of theirs, and about them, is overwritten; ids, times and states stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.intake.queries import search
from services.intake.store import attachments, erasure, follow_ups
from services.kit.db import Transaction


async def erase(tx: Transaction, site: str, customers: Sequence[str]) -> Mapping[str, int]:
    """Overwrite what intake knows of the customers; returns rows by table.

    What they write in a conversation that is still open afterwards is new and is not covered.
    """
    conversations = await erasure.lock(tx, site, customers)
    return {
        "conversations": await erasure.overwrite_conversations(tx, site, conversations),
        "messages": await erasure.overwrite_messages(tx, site, conversations),
        "attachments": await attachments.erase(tx, site, conversations),
        "follow_ups": await follow_ups.erase(tx, site, conversations),
        "search_entries": await search.clear(tx, site, conversations),
        "customer_tiers": await erasure.forget_tiers(tx, site, customers),
    }
