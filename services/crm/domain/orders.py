"""Order lines: which are taken, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Line:
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


Rates = Mapping[str, Fraction]
"""Yuan for one unit of a currency, by ISO 4217 code."""


def fault(line: Line, rates: Rates, now: datetime) -> str | None:
    """The rule that a line breaks, a key of `MESSAGES`; None for a good one."""
    return _ids(line) or _figures(line, rates) or _time(line.at, now)


def fen(amount: int, rate: Fraction) -> int:
    """An amount in hundredths of a currency as fen, halves rounded up."""
    if rate == 1:
        return amount
    return (2 * amount * rate.numerator + rate.denominator) // (2 * rate.denominator)


def _ids(line: Line) -> str | None:
    if not line.order or not line.line:
        return "ID_MISSING"
    if len(line.order) > LONGEST_ID or len(line.line) > LONGEST_ID or len(line.refund_of) > LONGEST_ID:
        return "ID_TOO_LONG"
    if len(line.buyer) > LONGEST_BUYER:
        return "BUYER_TOO_LONG"
    return "PRODUCT_TOO_LONG" if len(line.product) > LONGEST_PRODUCT else None


def _figures(line: Line, rates: Rates) -> str | None:
    if line.quantity <= 0:
        return "QUANTITY_NOT_POSITIVE"
    if line.amount < 0:
        return "AMOUNT_NEGATIVE"
    if line.amount > MOST or line.quantity > MOST_PIECES:
        return "TOO_LARGE"
    return None if line.currency in rates else "CURRENCY_UNKNOWN"


def _time(at: datetime, now: datetime) -> str | None:
    if at > now + AHEAD:
        return "TIME_IN_FUTURE"
    return "TIME_TOO_OLD" if at < EARLIEST else None
