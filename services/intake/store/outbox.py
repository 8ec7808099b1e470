"""Facts into the kit's outbox, each under the trace of the call that caused it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.kit import outbox
from services.kit.db import Transaction
from services.kit.outbox import Row

_INSERT: Final = """
INSERT INTO kefu_outbox (id, subject, aggregate, version, payload, traceparent)
SELECT id, subject, aggregate, version, payload, traceparent
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::text[])
    WITH ORDINALITY AS e (id, subject, aggregate, version, payload, traceparent, nth)
ORDER BY nth
"""


async def insert(tx: Transaction, facts: Sequence[tuple[Row, str]]) -> None:
    """Write rows with their traceparents, in order."""
    await tx.execute(_INSERT, *outbox.columns([row for row, _ in facts]), [trace for _, trace in facts])
    tx.hint(outbox.CHANNEL)
