"""SQL of orders: lines, each once, and the heads that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.crm.domain.orders import Line
from services.kit.db import Transaction

# Lines come in by COPY, a third of the cost of arrays; row-level security forbids it on the table itself.
_COLUMNS: Final = (
    *("order_id", "line_id", "customer_id", "kind", "at", "quantity"),
    *("amount", "currency", "fen", "product", "settles"),
)
_DOOR: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_lines (order_id text COLLATE "C", line_id text COLLATE "C",
    customer_id text, kind text, at timestamptz, quantity integer, amount bigint, currency text, fen bigint,
    product text, settles text) ON COMMIT DELETE ROWS
"""
_ADD: Final = f"""
INSERT INTO order_lines (site, source, {", ".join(_COLUMNS)})
SELECT $1, $2, {", ".join(_COLUMNS)} FROM incoming_lines ORDER BY order_id, line_id
ON CONFLICT DO NOTHING RETURNING order_id, line_id
"""
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


@dataclass(frozen=True, slots=True)
class Worth:
    """A good line with whose it is, what it is worth (fen) and the order that it counts for."""

    line: Line
    customer: str | None
    fen: int
    settles: str


async def add(tx: Transaction, site: str, source: str, lines: Sequence[Worth]) -> set[tuple[str, str]]:
    """Store lines that are not there yet; returns the (order, line) of those that were new."""
    await tx.execute(_DOOR)
    await tx.copy("incoming_lines", _COLUMNS, map(_row, lines))
    return {(row[0], row[1]) for row in await tx.fetch(_ADD, site, source)}


async def same(tx: Transaction, site: str, source: str, lines: Sequence[Worth]) -> set[int]:
    """Positions of the lines that are stored with these very contents."""
    rows = await tx.fetch(
        _SAME,
        site,
        source,
        list(range(len(lines))),
        [one.line.order for one in lines],
        [one.line.line for one in lines],
        [one.line.kind for one in lines],
        [one.line.at for one in lines],
        [one.line.amount for one in lines],
        [one.line.currency for one in lines],
        [one.settles for one in lines],
    )
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


def _row(one: Worth) -> tuple[object, ...]:
    line = one.line
    return (
        line.order,
        line.line,
        one.customer,
        line.kind,
        line.at,
        line.quantity,
        line.amount,
        line.currency,
        one.fen,
        line.product,
        one.settles,
    )
