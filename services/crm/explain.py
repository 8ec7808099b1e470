"""Why a customer has their tier, in words of both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from services.crm.domain.tiers import Bar
from services.crm.queries.tiers import Case
from services.policy.periods import in_words
from services.policy.profile import Profile, Text

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


def explanation(case: Case, profile: Profile, locale: str) -> str:
    """One or two sentences."""
    names = _names(profile, locale)
    own = names.get(case.tier, case.tier)
    rank = case.rules.rank(case.tier)
    if rank == len(case.rules.bars):
        return _DEFAULT.get(locale).format(tier=own)
    bar = case.rules.bars[rank]
    measures = case.measures[bar.window]
    met = bar.met(measures, case.cutoffs.get(bar.tier))
    text = _HELD if met else _KEPT
    said = text.get(locale).format(
        tier=own,
        window=in_words(case.rules.windows[bar.window], locale),
        spend=_yuan(measures.spend_fen),
        orders=measures.orders,
        days=measures.active_days,
        bar=_bar(bar, names, locale),
    )
    grace = None if case.held is None else case.held.standing.grace_until
    return said if grace is None else f"{said} {_GRACE.get(locale).format(until=grace.date().isoformat())}".strip()


def _names(profile: Profile, locale: str) -> dict[str, str]:
    """What the site calls its tiers, where it has names for them."""
    tiers = cast(Sequence[Mapping[str, Any]], profile.setting("routing.tiers") or ())
    named = {one["id"]: Text(one.get("name_zh", ""), one.get("name_en", "")).get(locale) for one in tiers}
    return {tier: name for tier, name in named.items() if name}


def _bar(bar: Bar, names: Mapping[str, str], locale: str) -> str:
    tier = names.get(bar.tier, bar.tier)
    return _BAR.get(locale).format(tier=tier, spend=_yuan(bar.spend_fen), orders=bar.orders, days=bar.active_days)


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"
