"""What the timers of a campaign do: begin a round, draw batch after batch, end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from services.crm.commands import campaigns as life
from services.crm.commands.sending import Sending
from services.crm.domain.campaign import Campaign, occasion_of
from services.crm.domain.occasions import first_days
from services.crm.store import campaigns
from services.kit.db import Transaction
from services.kit.timers import Timer
from services.policy import chinese_days


def first_day_of(day: date) -> str | None:
    """The public holiday in mainland China that begins on a day."""
    return first_days(chinese_days.names(day.year)).get(day)


@dataclass(frozen=True, slots=True)
class CampaignTimers:
    """The dispatcher's route of `campaigns.OWNER_KIND`."""

    sending: Sending
    holidays: Callable[[date], str | None] = first_day_of

    async def fire(self, timers: list[Timer], tx: Transaction) -> None:
        """Take each campaign one step further; one batch per transaction, so that nothing waits long for a lock."""
        for timer in timers:
            site, _, id_ = timer.owner_id.partition("/")
            campaign = await campaigns.get(tx, site, id_, lock=True)
            if campaign.state not in ("SCHEDULED", "RUNNING"):
                continue
            if timer.kind == life.ROUND and campaign.drawn_to is None:
                await self._begin(tx, campaign)
            elif timer.kind == life.DRAW and campaign.drawn_to is not None:
                await self._draw(tx, campaign)
            elif timer.kind == life.END:
                await life.end(tx, campaign)

    async def _begin(self, tx: Transaction, campaign: Campaign) -> None:
        rules = self.sending.rules(tx, campaign.site)
        occasion = occasion_of(campaign, tx.now.astimezone(rules.zone).date(), self.holidays)
        await life.begin_round(tx, campaign, occasion, rules)

    async def _draw(self, tx: Transaction, campaign: Campaign) -> None:
        drawn_to = await self.sending.draw(tx, campaign)
        if drawn_to is None:
            await life.drawn(tx, campaign, self.sending.rules(tx, campaign.site))
        else:
            await life.drawing(tx, campaign, drawn_to)
