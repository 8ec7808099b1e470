"""SQL of orders: lines, each once, and the heads that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Any, Final, NamedTuple

import asyncpg

from services.crm.domain.orders import Lines
from services.kit.db import Transaction

_COLUMNS: Final = {
    "order_id": "text",
    "line_id": "text",
    "customer_id": "text",
    "kind": "text",
    "at": "timestamptz",
    "quantity": "integer",
    "amount": "bigint",
    "currency": "text",
    "fen": "bigint",
    "product": "text",
    "settles": "text",
}
_NAMES: Final = ", ".join(_COLUMNS)
# Many lines come in by COPY, a third of the cost of arrays; row-level security forbids it on the table itself.
MANY: Final = 200
_DOOR: Final = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_lines ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
ON COMMIT DELETE ROWS
"""
_ADD: Final = f"""
INSERT INTO order_lines (site, source, {_NAMES})
SELECT $1, $2, {_NAMES} FROM {{incoming}} ORDER BY order_id COLLATE "C", line_id COLLATE "C"
"""
_UNLESS_THERE: Final = "ON CONFLICT DO NOTHING RETURNING order_id, line_id"
_ADD_MANY: Final = _ADD.format(incoming="incoming_lines")
_ADD_FEW: Final = _ADD.format(
    incoming="unnest("
    + ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(_COLUMNS.values(), start=3))
    + f") AS incoming_lines ({_NAMES})"
)
_SAME: Final = """
SELECT n.at FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[], $9::text[],
    $10::text[]) AS n (at, o, l, k, t, a, u, s)
JOIN order_lines x ON x.site = $1 AND x.source = $2 AND x.order_id = n.o AND x.line_id = n.l
WHERE (x.kind, x.at, x.amount, x.currency, x.settles) = (n.k, n.t, n.a, n.u, n.s)
"""
# The update changes nothing; it locks what is there.
_HEADS: Final = """
INSERT INTO orders AS x (site, source, order_id) SELECT $1, $2, o FROM unnest($3::text[]) AS o ORDER BY o
ON CONFLICT (site, source, order_id) DO UPDATE SET points_due = x.points_due
RETURNING order_id, customer_id, first_at, returned_at, sales_fen, returned_fen, unnamed_fen, points_due
"""
_PUT: Final = """
UPDATE orders x SET customer_id = n.c, first_at = n.f, returned_at = n.r, sales_fen = n.s, returned_fen = n.b,
    unnamed_fen = n.u, points_due = n.p
FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::bigint[], $9::bigint[],
    $10::bigint[]) AS n (o, c, f, r, s, b, u, p)
WHERE x.site = $1 AND x.source = $2 AND x.order_id = n.o
"""
_PAGE: Final = """
SELECT source, order_id, first_at, at, sales_fen, returned_fen FROM orders
WHERE site = $1 AND customer_id = ANY ($2::text[]) AND (at, source, order_id) < ($3, $4, $5)
ORDER BY at DESC, source DESC, order_id DESC LIMIT $6
"""


@dataclass(frozen=True, slots=True)
class Head:
    """What an order came to, fen; `first_at` is absent while only a return is known.

    `unnamed_fen` is the part of `returned_fen` whose lines name no purchase; `points_due` what was posted so far.
    """

    order: str
    customer: str | None
    first_at: datetime | None
    returned_at: datetime | None
    sales_fen: int
    returned_fen: int
    unnamed_fen: int
    points_due: int


class Worth(NamedTuple):
    """Good lines by column: whose each is, what it is worth (fen) and the order that it counts for."""

    lines: Lines
    customer: Sequence[str | None]
    fen: Sequence[int]
    settles: Sequence[str]

    def only(self, chosen: Sequence[bool]) -> Worth:
        """The lines whose place is chosen."""
        rest: list[Any] = [list(compress(column, chosen)) for column in self[1:]]
        return Worth(self.lines.only(chosen), *rest)

    def columns(self) -> tuple[Sequence[Any], ...]:
        """As order_lines has them."""
        lines = self.lines
        return (
            *(lines.order, lines.line, self.customer, lines.kind, lines.at, lines.quantity, lines.amount),
            *(lines.currency, self.fen, lines.product, self.settles),
        )


async def add(tx: Transaction, site: str, source: str, worth: Worth) -> list[bool]:
    """Store lines that are not there yet; tells of each whether it was new."""
    if len(worth.settles) > MANY:
        await tx.execute(_DOOR)
        await tx.copy("incoming_lines", list(_COLUMNS), zip(*worth.columns(), strict=True))
        if await _all_new(tx, site, source):
            return [True] * len(worth.settles)
        rows = await tx.fetch(_ADD_MANY + _UNLESS_THERE, site, source)
    else:
        rows = await tx.fetch(_ADD_FEW + _UNLESS_THERE, site, source, *worth.columns())
    fresh = set(map(tuple, rows))
    return [key in fresh for key in zip(worth.lines.order, worth.lines.line, strict=True)]


async def _all_new(tx: Transaction, site: str, source: str) -> bool:
    """Store what came in if none of it is there. Asking row by row costs as much as storing, and most files are new."""
    await tx.execute("SAVEPOINT all_new")
    try:
        await tx.execute(_ADD_MANY, site, source)
    except asyncpg.UniqueViolationError:
        await tx.execute("ROLLBACK TO SAVEPOINT all_new")
        return False
    await tx.execute("RELEASE SAVEPOINT all_new")
    return True


async def same(tx: Transaction, site: str, source: str, worth: Worth) -> set[int]:
    """Places of the lines that are stored with these very contents."""
    lines = worth.lines
    given = (lines.order, lines.line, lines.kind, lines.at, lines.amount, lines.currency, worth.settles)
    rows = await tx.fetch(_SAME, site, source, list(range(len(worth.settles))), *given)
    return {row[0] for row in rows}


async def lock_heads(tx: Transaction, site: str, source: str, orders: Sequence[str]) -> dict[str, Head]:
    """The heads of these orders, locked; one that was not there begins empty."""
    rows = await tx.fetch(_HEADS, site, source, list(orders))
    return {row["order_id"]: Head(*row) for row in rows}


async def put_heads(tx: Transaction, site: str, source: str, heads: Sequence[Head]) -> None:
    """Write locked heads back."""
    await tx.execute(
        _PUT,
        site,
        source,
        [head.order for head in heads],
        [head.customer for head in heads],
        [head.first_at for head in heads],
        [head.returned_at for head in heads],
        [head.sales_fen for head in heads],
        [head.returned_fen for head in heads],
        [head.unnamed_fen for head in heads],
        [head.points_due for head in heads],
    )


async def page(
    tx: Transaction, site: str, customers: Sequence[str], *, before: tuple[datetime, str, str], limit: int
) -> list[Any]:
    """Orders of these files before a position, latest first: rows of orders."""
    return await tx.fetch(_PAGE, site, list(customers), *before, limit)
