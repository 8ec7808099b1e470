"""Tiers: who has which, when it is lost, and why.

A customer rises as soon as a bar is met. A tier is kept while the bar is missed by no more than the tolerance
(hysteresis); below that the customer is warned, and loses the tier only when the days of grace pass without recovery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


class Measures(NamedTuple):
    """A customer within one window. `recency_days` since the last order, -1 for none; `spend_fen` is at least 0."""

    spend_fen: int = 0
    orders: int = 0
    active_days: int = 0
    recency_days: int = -1


@dataclass(frozen=True, slots=True)
class Bar:
    """All that a tier asks for. `window` is the position of its window in `Rules.windows`.

    `top_share` asks for a place among the top share of buyers, whose least spending is a cut-off of the last full run.
    """

    tier: str
    window: int
    spend_fen: int
    orders: int
    active_days: int
    max_recency: int | None = None
    top_share: float | None = None

    def met(self, m: Measures, cutoff: int | None, tolerance: float = 0.0) -> bool:
        """Whether the measures reach the bar, or all but the tolerated share of it."""
        share = 1.0 - tolerance
        if m.spend_fen < self.spend_fen * share or m.orders < self.orders * share:
            return False
        if m.active_days < self.active_days * share:
            return False
        if self.max_recency is not None and not 0 <= m.recency_days <= self.max_recency / share:
            return False
        return self.top_share is None or (cutoff is not None and m.spend_fen > 0 and m.spend_fen >= cutoff * share)


@dataclass(frozen=True, slots=True)
class Rules:
    """A site's tiers: bars from the highest down, below them all the default. `windows` are ISO periods."""

    bars: tuple[Bar, ...]
    windows: tuple[str, ...]
    default: str
    tolerance: float
    grace: timedelta

    def rank(self, tier: str) -> int:
        """0 for the highest; a tier that the profile no longer names ranks with the default."""
        for place, bar in enumerate(self.bars):
            if bar.tier == tier:
                return place
        return len(self.bars)


@dataclass(frozen=True, slots=True)
class Standing:
    """A tier held. `grace_until`: it is lost then unless the bar is met again."""

    tier: str
    grace_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What changes: `cause` is RAISED, LOWERED, WARNED (tier as before, grace begins) or RECOVERED (grace ends)."""

    before: str
    after: Standing
    cause: str
    measures: Measures


Cutoffs = Mapping[str, int]
"""Least spending, fen, of a tier's top share."""


def judge(
    standing: Standing, measures: Sequence[Measures], rules: Rules, cutoffs: Cutoffs, now: datetime
) -> Move | None:
    """What becomes of a customer; `measures` one per window of the rules. None where nothing changes."""
    bars = rules.bars
    held = rules.rank(standing.tier)
    earned = len(bars)
    for place, bar in enumerate(bars):
        if bar.met(measures[bar.window], cutoffs.get(bar.tier)):
            earned = place
            break
    reason = measures[bars[min(earned, held, len(bars) - 1)].window] if bars else Measures()
    if earned < held:
        return Move(standing.tier, Standing(bars[earned].tier), "RAISED", reason)
    if earned == held:
        return _recovered(standing, reason)
    own = bars[held]
    if own.met(measures[own.window], cutoffs.get(own.tier), rules.tolerance):
        return _recovered(standing, reason)
    if standing.grace_until is None and rules.grace:
        return Move(standing.tier, Standing(standing.tier, now + rules.grace), "WARNED", reason)
    if standing.grace_until is not None and now < standing.grace_until:
        return None
    lower = bars[earned].tier if earned < len(bars) else rules.default
    return Move(standing.tier, Standing(lower), "LOWERED", reason)


def cutoff(spends: Sequence[int], share: float) -> int | None:
    """The least spending of the top `share` of those who spent anything; None where that is nobody."""
    buyers = sorted((one for one in spends if one > 0), reverse=True)
    places = int(len(buyers) * share)
    return buyers[places - 1] if places else None


def _recovered(standing: Standing, measures: Measures) -> Move | None:
    if standing.grace_until is None:
        return None
    return Move(standing.tier, Standing(standing.tier), "RECOVERED", measures)
