"""Bonus pools: they move with the team's goal, and are shared out by published appraisals to the last fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import AlreadyExists
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa.commands.calibrations import agreed
from services.qa.domain.appraisal import GRADE_SHARE, REVIEWS
from services.qa.domain.bonus import annual_award, distribute, pool_of, split
from services.qa.domain.period import MONTH, Period
from services.qa.errors import forbidden, second_person, unmet, wrong_state
from services.qa.store import bonuses as store
from services.qa.store import scorecards
from services.qa.store.bonuses import Line, Pool

RATIO: Final = "pay.base_performance_ratio"


class Bonuses:
    """Commands on bonus pools."""

    def __init__(self, profiles: SiteProfiles) -> None:
        self._profiles = profiles

    async def compute(
        self,
        tx: Transaction,
        site: str,
        period: Period,
        *,
        base_fen: int,
        attainment: float,
        pay: Mapping[str, int],
        actor: str,
    ) -> Pool:
        """Compute a month's pool; `pay` is the full pay in fen of people whose split is asked for.

        FailedPrecondition where the profile has no section on pay, or reviews feed it and reviewers do not agree.
        """
        profile = self._profiles.at(site, tx.now)
        ratio = cast("Mapping[str, int] | None", profile.setting(RATIO))
        if ratio is None:
            raise forbidden(RATIO)
        if period.kind != MONTH:
            raise unmet("OTHER_PERIOD", period=MONTH)
        if REVIEWS in cast("Mapping[str, float]", profile.setting("appraisal.parts") or {}) and not await agreed(
            tx, profile
        ):
            raise unmet("REVIEWERS_DO_NOT_AGREE")
        factors, appraisals = await self._factors(tx, profile, period)
        pool = pool_of(base_fen, attainment)
        cuts = await store.cuts(tx, site, *_span(profile, period))
        lines, retained = [], pool if not any(factors.values()) else 0
        for person, amount in distribute(pool, factors).items():
            cut = min(amount, cuts.get(person, 0))
            paid = split(
                pay.get(person, 0), base=ratio["base"], performance=ratio["performance"], factor=factors[person]
            )
            given = (factors[person], amount - cut, cut, paid.base_fen, paid.performance_fen)
            lines.append(Line(person, appraisals[person], *given))
            retained += cut
        made = Pool(site, period.id, "COMPUTED", base_fen, attainment, pool, retained, actor, "", tx.now, tuple(lines))
        if not await store.insert(tx, made):
            raise AlreadyExists(metadata={"name": made.name})
        tx.audit(Entry(site, actor, "bonus.compute", made.name, str(pool)))
        return made

    async def approve(self, tx: Transaction, site: str, period: str, *, actor: str) -> Pool:
        """Approve a computed pool. SECOND_PERSON for who computed it."""
        pool = await store.get(tx, site, period, lock=True)
        if pool.state != "COMPUTED":
            raise wrong_state(pool.name, pool.state, "COMPUTED")
        if pool.author == actor:
            raise second_person("matters.approve")
        return await self._move(tx, pool, "APPROVED", actor, actor)

    async def distribute(self, tx: Transaction, site: str, period: str, *, actor: str) -> Pool:
        """An approved pool was paid out."""
        pool = await store.get(tx, site, period, lock=True)
        if pool.state != "APPROVED":
            raise wrong_state(pool.name, pool.state, "APPROVED")
        return await self._move(tx, pool, "DISTRIBUTED", pool.approver, actor)

    async def annual(self, tx: Transaction, site: str, person: str, year: int) -> int:
        """What the award of a year's best comes to: the mean monthly bonus times the profile's factor, fen."""
        rule = cast("Mapping[str, Any] | None", self._profiles.at(site, tx.now).setting("reward.annual_multiplier"))
        if rule is None:
            raise forbidden("reward.annual_multiplier")
        return annual_award(await store.monthly_mean(tx, site, person, str(year)), float(rule["times"]))

    async def _factors(
        self, tx: Transaction, profile: Profile, period: Period
    ) -> tuple[dict[str, float], dict[str, str]]:
        """Person → what the last published appraisal is worth, times the month's coefficient of ratings; and which."""
        factors, appraisals = {}, {}
        for row in await store.appraised(tx, profile.site):
            worth = GRADE_SHARE.get(row["grade"], 0.0) if row["score"] is None else row["score"] / 100
            cards = await scorecards.page(tx, profile.site, period.id, after="", person=row["person"], limit=1)
            coefficient = cards[0].coefficient if cards else None
            factors[row["person"]] = worth * (1.0 if coefficient is None else coefficient)
            appraisals[row["person"]] = str(row["appraisal_id"])
        return factors, appraisals

    async def _move(self, tx: Transaction, pool: Pool, state: str, approver: str, actor: str) -> Pool:
        await store.move(tx, pool, state, approver)
        tx.audit(Entry(pool.site, actor, f"bonus.{state.lower()}", pool.name))
        return replace(pool, state=state, approver=approver)


def _span(profile: Profile, period: Period) -> tuple[datetime, datetime]:
    return period.begins_at(profile.timezone), period.ends_at(profile.timezone)
