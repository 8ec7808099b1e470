"""Reading tiers: who has which, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.crm.commands.tiers import frame
from services.crm.domain.period import day_before
from services.crm.domain.rules import high_value, tier_rules
from services.crm.domain.tiers import Measures, Rules
from services.crm.store import customers, standings
from services.kit.db import Transaction
from services.policy.profile import Profile


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a tier rests on: `measures` one per window, `held` None for who was never judged away from
    the default."""

    rules: Rules
    held: standings.Held | None
    measures: Sequence[Measures]
    cutoffs: Mapping[str, int]
    high_value: bool

    @property
    def tier(self) -> str:
        """The tier."""
        return self.rules.default if self.held is None else self.held.standing.tier


async def case(tx: Transaction, profile: Profile, customer: str) -> Case:
    """A customer's tier with its reasons, merged files included. Raises NotFound."""
    site, rules = profile.site, tier_rules(profile)
    root, files = await customers.members(tx, site, customer)
    today, windows = frame(profile, rules, tx.now)
    rule = high_value(profile)
    all_windows = windows if rule is None else [*windows, day_before(today, rule[1])]
    measures = await standings.measures(tx, site, dict.fromkeys(files, root), today=today, windows=all_windows)
    held = await standings.held(tx, site, [root])
    return Case(
        rules=rules,
        held=held.get(root),
        measures=measures[root],
        cutoffs=await standings.cutoffs(tx, site),
        high_value=rule is not None and measures[root][-1].spend_fen >= rule[0],
    )
