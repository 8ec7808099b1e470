"""SQL of consent: as it stands, and everything that was ever said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.crm.domain.consent import Consent
from services.kit.db import Transaction

_SET: Final = """
INSERT INTO consents (site, customer_id, purpose, channel, granted, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (site, customer_id, purpose, channel) DO UPDATE SET granted = excluded.granted, at = excluded.at
"""
_KEEP: Final = """
INSERT INTO consent_history (site, customer_id, purpose, channel, granted, source, actor, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_PAGE: Final = """
SELECT number, purpose, channel, granted, source, actor, at FROM consent_history
WHERE site = $1 AND customer_id = ANY ($2::text[]) AND number < $3 ORDER BY number DESC LIMIT $4
"""


async def put(tx: Transaction, site: str, customer_id: str, consent: Consent) -> None:
    """Record a consent given or withdrawn; whoever is about to send a message waits for this row."""
    await tx.execute(_SET, site, customer_id, consent.purpose, consent.channel, consent.granted, consent.at)
    await tx.execute(
        _KEEP,
        site,
        customer_id,
        consent.purpose,
        consent.channel,
        consent.granted,
        consent.source,
        consent.actor,
        consent.at,
    )


async def page(
    tx: Transaction, site: str, customers: Sequence[str], *, before: int, limit: int
) -> list[tuple[int, Consent]]:
    """What these files said, latest first, with the number of each."""
    rows = await tx.fetch(_PAGE, site, list(customers), before, limit)
    return [
        (
            row["number"],
            Consent(**{name: row[name] for name in ("purpose", "channel", "granted", "source", "actor", "at")}),
        )
        for row in rows
    ]
