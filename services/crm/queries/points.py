"""Reading points: what time has moved counts at once, whether or not anybody has written it down yet."""

from __future__ import annotations

from collections.abc import Sequence

from services.crm.domain import points as rules
from services.crm.domain.points import Lot
from services.crm.store import points as store
from services.kit.db import Transaction


async def balance(tx: Transaction, site: str, files: Sequence[str]) -> tuple[list[Lot], int]:
    """The lots of these files that have points left now, earliest expiry first, and what they owe."""
    found = []
    for lot in await store.open_lots(tx, site, files):
        now = rules.posted(lot, rules.due([lot], tx.now))
        if now.pending + now.active:
            found.append(now)
    return sorted(found, key=lambda one: one.order), await store.owed(tx, site, files)
