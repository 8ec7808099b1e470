"""SQL of orders: lines, each once, and the heads that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.crm.domain.orders import Line
from services.kit.db import Transaction

_ADD: Final = """
INSERT INTO order_lines (site, source, order_id, line_id, customer_id, kind, at, quantity, amount, currency, fen,
    product, settles)
SELECT $1, $2, o, l, c, k, t, q, a, u, f, p, s
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::int[], $9::bigint[], $10::text[],
    $11::bigint[], $12::text[], $13::text[]) AS n (o, l, c, k, t, q, a, u, f, p, s)
ORDER BY o, l
ON CONFLICT DO NOTHING RETURNING order_id, line_id
"""
_SAME: Final = """
SELECT n.at FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[], $9::text[],
    $10::text[]) AS n (at, o, l, k, t, a, u, s)
JOIN order_lines x ON x.site = $1 AND x.source = $2 AND x.order_id = n.o AND x.line_id = n.l
WHERE (x.kind, x.at, x.amount, x.currency, x.settles) = (n.k, n.t, n.a, n.u, n.s)
"""
_BEGIN: Final = """
INSERT INTO orders (site, source, order_id) SELECT $1, $2, o FROM unnest($3::text[]) AS o ORDER BY o
ON CONFLICT DO NOTHING
"""
_HEADS: Final = """
SELECT order_id, customer_id, first_at, returned_at, sales_fen, returned_fen, unnamed_fen, points_due FROM orders
WHERE site = $1 AND source = $2 AND order_id = ANY ($3::text[]) ORDER BY order_id FOR UPDATE
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
    """A good line with what it is worth (fen) and whose it is."""

    line: Line
    customer: str | None
    fen: int

    @property
    def settles(self) -> str:
        """The order that the line counts for."""
        return self.line.refund_of or self.line.order


async def add(tx: Transaction, site: str, source: str, lines: Sequence[Worth]) -> set[tuple[str, str]]:
    """Store lines that are not there yet; returns the (order, line) of those that were new."""
    rows = await tx.fetch(
        _ADD,
        site,
        source,
        [one.line.order for one in lines],
        [one.line.line for one in lines],
        [one.customer for one in lines],
        [one.line.kind for one in lines],
        [one.line.at for one in lines],
        [one.line.quantity for one in lines],
        [one.line.amount for one in lines],
        [one.line.currency for one in lines],
        [one.fen for one in lines],
        [one.line.product for one in lines],
        [one.settles for one in lines],
    )
    return {(row[0], row[1]) for row in rows}


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
    await tx.execute(_BEGIN, site, source, list(orders))
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
