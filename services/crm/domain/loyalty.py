"""The indicators of customer relations (TAOBAO-4-5.1): loyalty, new customers, complaints."""

from __future__ import annotations

from dataclasses import dataclass

from services.crm.domain.intervals import Interval, wilson


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted in a period, in customers.

    `buyers` bought in it; of these `repeaters` bought on at least two days of it and `returning` had bought before it;
    `newcomers` were first heard of in it, of whom `converted` bought in it. `complaints` are cases, not customers.
    """

    buyers: int
    repeaters: int
    returning: int
    newcomers: int
    converted: int
    complaints: int


@dataclass(frozen=True, slots=True)
class Indicators:
    """Shares with Wilson intervals, None of nobody; complaints as the number that the regime asks for."""

    repurchase_rate: Interval | None
    returning_share: Interval | None
    new_customer_conversion: Interval | None
    complaints: int


def indicators(counts: Counts, *, level: float = 0.95) -> Indicators:
    """Work out the indicators; raises ValueError where a part exceeds its whole."""
    return Indicators(
        repurchase_rate=_share(counts.repeaters, counts.buyers, level=level),
        returning_share=_share(counts.returning, counts.buyers, level=level),
        new_customer_conversion=_share(counts.converted, counts.newcomers, level=level),
        complaints=counts.complaints,
    )


def _share(part: int, whole: int, *, level: float) -> Interval | None:
    return wilson(part, whole, level=level) if whole else None
