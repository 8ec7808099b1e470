"""Order lines: which are taken, and what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import compress
from types import MappingProxyType
from typing import Any, Final, NamedTuple

SALE: Final = "SALE"
RETURN: Final = "RETURN"
LONGEST_ID: Final = 64
LONGEST_PRODUCT: Final = 200
LONGEST_BUYER: Final = 200
MOST: Final = 10**13
MOST_PIECES: Final = 10**9
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
# Clocks of shops run ahead of ours by minutes, never by days.
AHEAD: Final = timedelta(days=1)

# Rule → what to do about it, in Chinese and in English.
MESSAGES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "ID_MISSING": ("订单号和行号不能为空。", "Give every line an order and a line id."),
        "ID_TOO_LONG": ("编号最多 64 个字符。", "Ids have at most 64 characters."),
        "BUYER_TOO_LONG": ("买家编号最多 200 个字符。", "A buyer's id has at most 200 characters."),
        "PRODUCT_TOO_LONG": ("商品名称最多 200 个字符。", "A product's name has at most 200 characters."),
        "QUANTITY_NOT_POSITIVE": (
            "数量必须大于零；退货请标为 RETURN。",
            "A quantity is above zero; mark what came back as RETURN.",
        ),
        "AMOUNT_NEGATIVE": (
            "金额不能为负；退货请标为 RETURN。",
            "An amount is never negative; mark what came back as RETURN.",
        ),
        "TOO_LARGE": ("金额或数量过大，请核对。", "The amount or quantity is too large; check it."),
        "CURRENCY_UNKNOWN": (
            "站点规则中没有这种货币，请在 crm.currencies 中添加。",
            "The site's profile does not know this currency; add it to crm.currencies.",
        ),
        "TIME_IN_FUTURE": ("下单时间在将来，请核对。", "The time is in the future; check the source's clock."),
        "TIME_TOO_OLD": ("下单时间早于 1990 年，请核对。", "The time is before 1990; check the source."),
        "NOT_READABLE": ("这一行无法读取，请核对各列。", "The row cannot be read; check its columns."),
        "LINE_CHANGED": (
            "同一订单行此前以不同内容存过；更正请另记一条退货或销售。",
            "The same line was stored with other contents; record a correction as a line of its own.",
        ),
    }
)


class Line(NamedTuple):
    """One line as a source tells it. `amount` is in hundredths of `currency`; an empty `buyer` is an anonymous sale."""

    order: str
    line: str
    kind: str
    buyer: str
    at: datetime
    quantity: int
    amount: int
    currency: str
    product: str = ""
    refund_of: str = ""


class Lines(NamedTuple):
    """Many lines by column, each as in `Line`: a whole file is judged value by value, not line by line."""

    order: Sequence[str] = ()
    line: Sequence[str] = ()
    kind: Sequence[str] = ()
    buyer: Sequence[str] = ()
    at: Sequence[datetime] = ()
    quantity: Sequence[int] = ()
    amount: Sequence[int] = ()
    currency: Sequence[str] = ()
    product: Sequence[str] = ()
    refund_of: Sequence[str] = ()

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Lines:
        """Turn lines into columns."""
        return cls(*zip(*lines, strict=True))

    def only(self, chosen: Sequence[bool]) -> Lines:
        """The lines whose place is chosen."""
        columns: list[Any] = [list(compress(column, chosen)) for column in self]
        return Lines(*columns)


Rates = Mapping[str, Fraction]
"""Yuan for one unit of a currency, by ISO 4217 code."""


def faults(lines: Lines, rates: Rates, now: datetime) -> dict[int, str]:
    """Places of the lines that break a rule, each with a key of `MESSAGES`; good ones are left out."""
    found: dict[int, str] = {}
    for column, rule in _rules(lines, rates, now):
        bad = {value: broken for value in set(column) if (broken := rule(value)) is not None}
        if bad:
            for at, value in enumerate(column):
                if value in bad:
                    found.setdefault(at, bad[value])
    return found


def fen(amount: int, rate: Fraction) -> int:
    """An amount in hundredths of a currency as fen, halves rounded up."""
    if rate == 1:
        return amount
    return (2 * amount * rate.numerator + rate.denominator) // (2 * rate.denominator)


def _rules(lines: Lines, rates: Rates, now: datetime) -> Iterable[tuple[Sequence[Any], Callable[[Any], str | None]]]:
    """Each column that has a rule, the first to be named first."""
    yield lines.order, _id
    yield lines.line, _id
    yield lines.refund_of, _longest(LONGEST_ID, "ID_TOO_LONG")
    yield lines.buyer, _longest(LONGEST_BUYER, "BUYER_TOO_LONG")
    yield lines.product, _longest(LONGEST_PRODUCT, "PRODUCT_TOO_LONG")
    yield lines.quantity, _quantity
    yield lines.amount, _amount
    yield lines.currency, lambda code: None if code in rates else "CURRENCY_UNKNOWN"
    yield lines.at, lambda at: _time(at, now)


def _id(text: str) -> str | None:
    if not text:
        return "ID_MISSING"
    return "ID_TOO_LONG" if len(text) > LONGEST_ID else None


def _longest(most: int, rule: str) -> Callable[[str], str | None]:
    return lambda text: rule if len(text) > most else None


def _quantity(pieces: int) -> str | None:
    if pieces <= 0:
        return "QUANTITY_NOT_POSITIVE"
    return "TOO_LARGE" if pieces > MOST_PIECES else None


def _amount(amount: int) -> str | None:
    if amount < 0:
        return "AMOUNT_NEGATIVE"
    return "TOO_LARGE" if amount > MOST else None


def _time(at: datetime, now: datetime) -> str | None:
    if at > now + AHEAD:
        return "TIME_IN_FUTURE"
    return "TIME_TOO_OLD" if at < EARLIEST else None
