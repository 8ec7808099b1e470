"""What a campaign would do before it is sent, and what it did."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.crm.commands.sending import NOBODY, Sending, belongs, judged
from services.crm.domain.campaign import DAILY, Campaign
from services.crm.domain.guard import Send
from services.crm.domain.holdout import Arm, Group, Lift, arm_of, lift
from services.crm.domain.segment import Reason, explain, holds
from services.crm.store import care_messages
from services.crm.store.audience import Person
from services.kit.db import Transaction

PAGE: Final = 2_000
SAMPLE: Final = 50


@dataclass(frozen=True, slots=True)
class Fate:
    """What one customer would get: nothing if held back; `channel`, or why nothing leaves; and why they belong."""

    customer: str
    arm: Arm
    channel: str
    barred: str
    reasons: Sequence[Reason]


@dataclass(slots=True)
class Preview:
    """Who would get what: customers in the segment, by arm, and those treated by channel or by why they get nothing."""

    customers: int = 0
    segment: int = 0
    unknown: int = 0
    held_back: int = 0
    waiting: int = 0
    channels: Counter[str] = field(default_factory=Counter)
    barred: Counter[str] = field(default_factory=Counter)
    sample: list[Fate] = field(default_factory=list)

    def count(self, fate: Fate, *, waits: bool) -> None:
        """Count a customer of the segment."""
        self.segment += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(fate)
        if fate.arm is Arm.HELD_BACK:
            self.held_back += 1
        elif fate.barred:
            self.barred[fate.barred] += 1
        else:
            self.channels[fate.channel] += 1
            self.waiting += waits


@dataclass(frozen=True, slots=True)
class Result:
    """What a campaign did: messages by state and reason, customers by arm, and the lift once there are two arms."""

    messages: dict[tuple[str, str], int]
    arms: dict[str, Group]
    lift: Lift | None


async def preview(tx: Transaction, sending: Sending, campaign: Campaign) -> Preview:
    """Go through all customers as the campaign would now; nothing is written.

    Of a birthday campaign today's birthdays are shown, of a holiday campaign what a holiday today would bring.
    """
    rules, found, after = sending.rules(tx, campaign.site), Preview(), ""
    waits = rules.quiet is not None and rules.quiet.until(tx.now) is not None
    if campaign.draft.kind in DAILY:
        campaign = dataclasses.replace(campaign, day=tx.now.astimezone(rules.zone).date())
    while page := await sending.page(tx, campaign, after=after, limit=PAGE):
        after = page[-1].id
        found.customers += len(page)
        found.unknown += sum(holds(campaign.draft.segment, one.facts) is None for one in page)
        chosen = [one for one in page if belongs(campaign, one, rules)]
        ids = [one.id for one in chosen]
        reaches = await sending.audience.reaches(tx, campaign.site, ids, lock=False)
        left = await care_messages.left_since(tx, campaign.site, ids, rules.cap.window) if rules.cap else {}
        for person in chosen:
            reach = reaches.get(person.id, NOBODY)
            verdict = judged(campaign, reach, dataclasses.replace(rules, quiet=None), left.get(person.id, ()), tx.now)
            found.count(_fate(campaign, person, verdict), waits=waits)
    return found


async def result(tx: Transaction, campaign: Campaign, *, level: float = 0.95) -> Result:
    """Sum up: everybody drawn counts in their arm, also who got no message (intention to treat)."""
    arms = await care_messages.arms(tx, campaign.site, campaign.id)
    counts = await care_messages.counts(tx, campaign.site, campaign.id)
    if not {Arm.TREATED, Arm.HELD_BACK} <= arms.keys():
        return Result(counts, arms, None)
    return Result(counts, arms, lift(arms[Arm.TREATED], arms[Arm.HELD_BACK], level=level))


def _fate(campaign: Campaign, person: Person, verdict: object) -> Fate:
    arm = arm_of(campaign.seed, campaign.name, person.id, share=campaign.draft.holdout_share)
    reasons = explain(campaign.draft.segment, person.facts)
    if arm is Arm.HELD_BACK:
        return Fate(person.id, arm, "", "", reasons)
    if isinstance(verdict, Send):
        return Fate(person.id, arm, verdict.channel, "", reasons)
    return Fate(person.id, arm, "", str(getattr(verdict, "reason", "")), reasons)
