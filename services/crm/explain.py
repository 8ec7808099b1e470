"""Why a customer has their tier, in words of both languages."""

from __future__ import annotations

import re

from services.crm.domain.tiers import Bar
from services.crm.queries.tiers import Case
from services.policy.profile import Text

_HELD = Text(
    "等级为 {tier}：近 {window} 消费 {spend} 元、{orders} 单、活跃 {days} 天，达到 {bar}。",
    "Tier {tier}: ¥{spend} in {orders} orders and {days} active days within {window}, which meets {bar}.",
)
_KEPT = Text(
    "等级为 {tier}：未达到 {bar}，但在站点规则的容差或宽限之内。",
    "Tier {tier}: {bar} is not met, but the shortfall is within what the site's rules tolerate.",
)
_GRACE = Text(
    "若在 {until} 之前未恢复到门槛以上，将失去该等级。",
    "It will be lost unless the bar is met again before {until}.",
)
_DEFAULT = Text(
    "等级为 {tier}：未达到任何更高等级的门槛。",
    "Tier {tier}: the bars of all higher tiers are missed.",
)
_BAR = Text(
    "{tier} 的门槛（{spend} 元、{orders} 单、{days} 天）",
    "the bar of {tier} (¥{spend}, {orders} orders, {days} days)",
)
_UNITS = {"Y": Text("年", "y"), "M": Text("个月", "mo"), "W": Text("周", "wk"), "D": Text("天", "d")}


def explanation(case: Case, locale: str) -> str:
    """One or two sentences."""
    rank = case.rules.rank(case.tier)
    if rank == len(case.rules.bars):
        return _DEFAULT.get(locale).format(tier=case.tier)
    bar = case.rules.bars[rank]
    measures = case.measures[bar.window]
    met = bar.met(measures, case.cutoffs.get(bar.tier))
    text = _HELD if met else _KEPT
    said = text.get(locale).format(
        tier=case.tier,
        window=_period(case.rules.windows[bar.window], locale),
        spend=_yuan(measures.spend_fen),
        orders=measures.orders,
        days=measures.active_days,
        bar=_bar(bar, locale),
    )
    grace = None if case.held is None else case.held.standing.grace_until
    return said if grace is None else f"{said} {_GRACE.get(locale).format(until=grace.date().isoformat())}".strip()


def _bar(bar: Bar, locale: str) -> str:
    return _BAR.get(locale).format(tier=bar.tier, spend=_yuan(bar.spend_fen), orders=bar.orders, days=bar.active_days)


def _period(text: str, locale: str) -> str:
    """A period such as P1Y6M in words."""
    parts = re.findall(r"(\d+)([YMWD])", text)
    return " ".join(f"{number} {_UNITS[unit].get(locale)}" for number, unit in parts)


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"
