"""What qa does by the calendar: everybody's scorecards each night, and a season of appraisals when its day comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from services.kit.db import Database, Transaction
from services.kit.schedules import Schedule
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa.commands.appraisals import Appraisals
from services.qa.commands.scorecards import Scorecards
from services.qa.domain import cards
from services.qa.domain.period import MONTH, QUARTER, before, of

ACTOR: Final = "nightly"
OPEN_DAY: Final = 1


class Nightly:
    """The recurring jobs of scorecards."""

    def __init__(
        self, database: Database, profiles: SiteProfiles, scorecards: Scorecards, appraisals: Appraisals
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._scorecards = scorecards
        self._appraisals = appraisals

    @property
    def schedules(self) -> list[Schedule]:
        """Each night, when nobody works much."""
        rule = "FREQ=DAILY;BYHOUR=2;BYMINUTE=40;BYSECOND=0"
        return [Schedule("qa.scorecards", rule, self._compute, zone="Asia/Shanghai")]

    async def _compute(self, _period: datetime, tx: Transaction) -> None:
        # in transactions of their own, site by site; the scheduler's must not be taken for an abandoned one meanwhile
        for profile in self._profiles.in_force(tx.now):
            if cards.card(profile) is not None:
                await self._of_site(profile, tx.now, pulse=lambda: tx.execute("SELECT 1"))

    async def _of_site(self, profile: Profile, now: datetime, *, pulse: Callable[[], Awaitable[object]]) -> None:
        yesterday = (now.astimezone(profile.timezone) - timedelta(days=1)).date()
        for period in (of(yesterday, MONTH), of(yesterday, QUARTER)):
            async with self._database.transaction(sites=[profile.site]) as tx:
                await self._scorecards.compute(tx, profile.site, period, actor=ACTOR)
            await pulse()
        await self._season(profile, now)

    async def _season(self, profile: Profile, now: datetime) -> None:
        """On the profile's day of the month, open the appraisals of the last period that is over (MALL-6.2)."""
        kind, day = profile.setting("appraisal.period"), profile.setting("appraisal.open_day") or OPEN_DAY
        today = now.astimezone(profile.timezone).date()
        if kind is None or today.day != day:
            return
        async with self._database.transaction(sites=[profile.site]) as tx:
            await self._appraisals.open(tx, profile.site, before(today, str(kind)), actor=ACTOR)
