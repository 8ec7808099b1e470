"""SQL of forgetting a customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.kit.db import Transaction

# The customer's words are intake's: a transcript is read there, so that it is gone here as soon as it is gone there.
_STATEMENTS: Final[Mapping[str, str]] = {
    "recordings": "UPDATE recordings SET customer = '' WHERE site = $1 AND customer = ANY ($2::text[])",
    "conversations": "UPDATE conversations SET customer = '' WHERE site = $1 AND customer = ANY ($2::text[])",
}


async def erase(tx: Transaction, site: str, customers: Sequence[str]) -> Mapping[str, int]:
    """Overwrite whose recordings they are; returns rows by table."""
    found = {}
    for table, statement in _STATEMENTS.items():
        found[table] = int((await tx.execute(statement, site, list(customers))).rsplit(maxsplit=1)[-1])
    return found
