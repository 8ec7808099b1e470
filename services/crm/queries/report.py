"""A site's customer relations in figures: tiers, moves, who comes back, who is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from services.crm.domain.loyalty import Counts, Indicators, indicators
from services.crm.domain.rhythm import Model
from services.crm.domain.rules import churn_days, tier_rules
from services.crm.queries.lifecycles import buying_days, judge
from services.crm.store import standings
from services.kit.db import Database, Transaction
from services.policy.profile import Profile

# Files that began in a period and never bought.
_ONLOOKERS: Final = """
SELECT count(*) FROM customers c
WHERE site = $1 AND merged_into IS NULL AND created_at >= $2 AND created_at < $3
    AND NOT EXISTS (SELECT FROM customer_days d JOIN customers f USING (site, customer_id)
                    WHERE f.site = $1 AND f.root = c.customer_id AND d.orders > 0)
"""
_COMPLAINTS: Final = """
SELECT count(*) FROM timeline WHERE site = $1 AND kind = 'COMPLAINT' AND at >= $2 AND at < $3
"""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `kefu crm report` prints. `lifecycles` by rhythm where it says something, `by_rule` by the plain
    rule alone."""

    site: str
    first_day: date
    last_day: date
    customers: int
    buyers: int
    tiers: dict[str, int]
    moves: list[tuple[str, str, str, int]]
    indicators: Indicators
    lifecycles: dict[str, int]
    by_rule: dict[str, int]
    model: Model | None


async def report(database: Database, profile: Profile, *, first_day: date, last_day: date) -> Report:
    """The figures of a period; standing and churn as of its last day. Raises ValueError for an empty period."""
    if last_day < first_day:
        raise ValueError(f"the period ends on {last_day}, before it begins on {first_day}")
    since, until = (_midnight(profile, day) for day in (first_day, last_day + timedelta(days=1)))
    async with database.transaction(sites=[profile.site], read_only=True) as tx:
        days = await buying_days(tx, profile.site, last_day)
        sizes = await standings.sizes(tx, profile.site, tier_rules(profile).default)
        moves = await standings.counts(tx, profile.site, since, until)
        counts = await _counts(tx, profile.site, days, (first_day, last_day), since, until)
    lifecycles, by_rule, model = _lifecycles(days, last_day, churn_days(profile))
    return Report(
        site=profile.site,
        first_day=first_day,
        last_day=last_day,
        customers=sum(sizes.values()),
        buyers=len(days),
        tiers=sizes,
        moves=[(row["from_tier"], row["to_tier"], row["cause"], row["moves"]) for row in moves],
        indicators=indicators(counts),
        lifecycles=lifecycles,
        by_rule=by_rule,
        model=model,
    )


async def _counts(
    tx: Transaction, site: str, days: list[Any], period: tuple[date, date], since: datetime, until: datetime
) -> Counts:
    first, last = period
    bought = [(row, [day for day in row["days"] if first <= day <= last]) for row in days]
    buyers = [(row, within) for row, within in bought if within]
    # first heard of by a file or by an order, whichever came first: an import begins all its files on one day
    new = [
        within
        for row, within in bought
        if first <= min(row["days"][0], row["known_since"].astimezone(since.tzinfo).date()) <= last
    ]
    return Counts(
        buyers=len(buyers),
        repeaters=sum(len(within) > 1 for _, within in buyers),
        returning=sum(row["days"][0] < first for row, _ in buyers),
        newcomers=len(new) + await tx.fetchval(_ONLOOKERS, site, since, until),
        converted=sum(bool(within) for within in new),
        complaints=await tx.fetchval(_COMPLAINTS, site, since, until),
    )


def _lifecycles(
    days: list[Any], last_day: date, lost_after_d: int | None
) -> tuple[dict[str, int], dict[str, int], Model | None]:
    """Customers by lifecycle, by the plain rule, and the fitted rhythm; empty where the site has no rule."""
    if lost_after_d is None:
        return {}, {}, None
    found, model = judge(days, last_day, lost_after_d)
    by_rhythm = Counter[str](one.lifecycle for one in found.values())
    return dict(by_rhythm), dict(Counter[str](one.by_rule for one in found.values())), model


def _midnight(profile: Profile, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=profile.timezone)
