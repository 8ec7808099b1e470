"""SQL of contact tasks, and of the signals that call for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.crm.domain.churn import Lifecycle
from services.crm.domain.contact import Signals
from services.crm.errors import not_found
from services.kit.db import Transaction

_COLUMNS: Final = "site, id, customer, cause, state, made_at, ended_at, ended_by"
# Since the last word with the customer, or since their file began.
_SIGNALS: Final = """
SELECT c.customer_id, k.last_at,
    (SELECT count(*) FROM orders o
     WHERE o.site = $1 AND o.customer_id = ANY (k.files) AND o.returned_at > k.last_at) AS returns,
    (SELECT count(*) FROM timeline t
     WHERE t.site = $1 AND t.customer_id = ANY (k.files) AND t.kind = 'LOW_RATING' AND t.at > k.last_at) AS low_ratings
FROM customers c
CROSS JOIN LATERAL (
    SELECT ARRAY(SELECT f.customer_id FROM customers f
                 WHERE f.site = $1 AND f.root = c.customer_id AND f.merged_into IS NOT NULL) || c.customer_id AS files,
        coalesce((SELECT max(t.ended_at) FROM contact_tasks t
                  WHERE t.site = $1 AND t.customer = c.customer_id AND t.state <> 'DUE'), c.created_at) AS last_at) k
WHERE c.site = $1 AND c.customer_id = ANY ($2::text[]) AND c.state IN ('ACTIVE', 'STALE') AND NOT c.do_not_contact
"""
_INSERT: Final = """
INSERT INTO contact_tasks (site, id, customer, cause, state, made_at) VALUES ($1, $2, $3, $4, 'DUE', $5)
ON CONFLICT (site, customer) WHERE state = 'DUE' DO NOTHING
"""
_GET: Final = f"SELECT {_COLUMNS} FROM contact_tasks WHERE site = $1 AND id = $2 FOR UPDATE"
_END: Final = "UPDATE contact_tasks SET state = $3, ended_at = $4, ended_by = $5 WHERE site = $1 AND id = $2"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM contact_tasks WHERE site = $1 AND ($2 = '' OR state = $2) AND id > $3 ORDER BY id LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Task:
    """Somebody should have a word with this customer."""

    site: str
    id: str
    customer: str
    cause: str
    state: str
    made_at: datetime
    ended_at: datetime | None
    ended_by: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/contactTasks/{self.id}"


async def signals(tx: Transaction, site: str, found: Mapping[str, Lifecycle]) -> dict[str, Signals]:
    """What was seen of each of these since the last contact; who wants none is left out."""
    rows: Sequence[Any] = await tx.fetch(_SIGNALS, site, list(found))
    return {
        row["customer_id"]: Signals(found[row["customer_id"]], row["last_at"], row["returns"], row["low_ratings"])
        for row in rows
    }


async def insert(tx: Transaction, site: str, id_: str, customer: str, cause: str) -> None:
    """Add a task; a customer has one at a time."""
    await tx.execute(_INSERT, site, id_, customer, cause, tx.now)


async def get(tx: Transaction, site: str, id_: str) -> Task:
    """One, locked. Raises NotFound."""
    row = await tx.fetchrow(_GET, site, id_)
    if row is None:
        raise not_found(f"sites/{site}/contactTasks/{id_}")
    return Task(**row)


async def end(tx: Transaction, task: Task) -> None:
    """Write the end of a locked one."""
    await tx.execute(_END, task.site, task.id, task.state, task.ended_at, task.ended_by)


async def page(tx: Transaction, site: str, *, state: str, after: str, limit: int) -> list[Task]:
    """By age after an id; an empty state is all."""
    return [Task(**row) for row in await tx.fetch(_PAGE, site, state, after, limit)]
