"""From a campaign to its customers: the audience is drawn in batches, each message judged then and when it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from services.crm.domain import coupon as coupons_domain
from services.crm.domain.campaign import BIRTHDAY, Campaign, Rules, filled
from services.crm.domain.coupon import Coupon
from services.crm.domain.guard import Reach, Send, Stop, Suppressed, Wait, decide
from services.crm.domain.holdout import Arm, arm_of
from services.crm.domain.occasions import Birthday, celebrated_on
from services.crm.domain.rules import contact_rules, tier_rules
from services.crm.domain.segment import holds
from services.crm.profiles import SiteProfiles
from services.crm.store import campaigns, care_messages, coupons
from services.crm.store.audience import Audience, Person
from services.crm.store.care_messages import Planned
from services.kit.audit import Entry
from services.kit.crypto import Vault
from services.kit.db import Transaction
from services.kit.outbound import letters
from services.kit.outbound.letters import Hold, Letter, Refuse, Verdicts
from services.kit.resource_names import ResourceName

BATCH: Final = 500
ACTOR: Final = "care"
CAUSE: Final = "CAMPAIGN"
_MARK: Final = 24
REFERENCE: Final = ResourceName("sites/{site}/campaigns/{campaign}/messages/{message}")
NOBODY: Final = Reach(frozenset(), (), frozenset(), erased=True)
_STATES: Final = {"SENT": "SENT", "BOUNCED": "FAILED", "PARKED": "FAILED", "REFUSED": "SUPPRESSED"}


@dataclass(frozen=True, slots=True)
class Sending:
    """Plans messages, and is the owner whom the kit's letters ask before they leave."""

    audience: Audience
    profiles: SiteProfiles
    vault: Vault
    new_id: Callable[[], str]

    async def page(self, tx: Transaction, campaign: Campaign, *, after: str, limit: int) -> list[Person]:
        """The site's customers after an id, with what the campaign may ask of them."""
        profile = self.profiles.at(campaign.site, tx.now)
        today = tx.now.astimezone(profile.timezone).date()
        default = tier_rules(profile).default
        return await self.audience.page(tx, campaign.site, after=after, limit=limit, today=today, default_tier=default)

    async def draw(self, tx: Transaction, campaign: Campaign) -> str | None:
        """Draw the next customers of a running campaign; returns up to whom, None when there are no more."""
        assert campaign.drawn_to is not None
        page = await self.page(tx, campaign, after=campaign.drawn_to, limit=BATCH)
        rules = self.rules(tx, campaign.site)
        chosen = [one.id for one in page if belongs(campaign, one, rules)]
        reaches = await self.audience.reaches(tx, campaign.site, chosen, lock=False)
        for customer in chosen:
            await self._plan(tx, campaign, rules, customer, reaches.get(customer, NOBODY))
        return page[-1].id if len(page) == BATCH else None

    async def remind(self, tx: Transaction, campaign: Campaign, due: Mapping[str, tuple[str, int]]) -> None:
        """Write again to customers by the message that they were sent, each with the number of the reminder."""
        rules = self.rules(tx, campaign.site)
        reaches = await self.audience.reaches(tx, campaign.site, [one for one, _ in due.values()], lock=False)
        for message, (customer, number) in due.items():
            occasion = f"reminder/{number}/{message}"
            planned = Planned(self.new_id(), campaign.id, customer, occasion, follows=message)
            await self._queue(tx, campaign, rules, planned, reaches.get(customer, NOBODY))

    async def judge(self, tx: Transaction, letters: Sequence[Letter]) -> Verdicts:
        """Judge letters on their way out, under locks on the messages and on the consents."""
        verdicts: dict[str, Refuse | Hold] = {}
        for site, group in groupby(sorted(letters, key=lambda one: one.site), key=lambda one: one.site):
            verdicts |= await self._judge_site(tx, site, {_message(letter): letter for letter in group})
        return verdicts

    async def ended(self, tx: Transaction, letter: Letter, state: str, reason: str) -> None:
        """Note how a letter went."""
        await care_messages.end(tx, letter.site, _message(letter), state=_STATES[state], reason=reason)

    def rules(self, tx: Transaction, site: str) -> Rules:
        """The site's rules now."""
        return contact_rules(self.profiles.at(site, tx.now))

    async def _plan(self, tx: Transaction, campaign: Campaign, rules: Rules, customer: str, reach: Reach) -> None:
        site, planned = campaign.site, Planned(self.new_id(), campaign.id, customer, campaign.occasion)
        arm = arm_of(campaign.seed, campaign.name, customer, share=campaign.draft.holdout_share)
        if arm is Arm.HELD_BACK:
            await care_messages.insert(tx, site, planned, arm=arm, state="HELD_BACK")
            return
        await self._queue(tx, campaign, rules, planned, reach)

    async def _queue(self, tx: Transaction, campaign: Campaign, rules: Rules, planned: Planned, reach: Reach) -> None:
        site, arm = campaign.site, Arm.TREATED
        # the cap is judged when it leaves: by then others may have left, or time passed
        verdict = judged(campaign, reach, Rules(rules.zone, rules.quiet), (), tx.now)
        if isinstance(verdict, Stop):
            await care_messages.insert(tx, site, planned, arm=arm, state="SUPPRESSED", reason=verdict.reason)
            return
        channel = _channel(campaign, reach, rules, tx.now)
        if await care_messages.insert(tx, site, planned, arm=arm, state="PLANNED", channel=channel):
            until = verdict.until if isinstance(verdict, Wait) else None
            await self._write(tx, campaign, planned, channel, until)

    async def _write(
        self, tx: Transaction, campaign: Campaign, planned: Planned, channel: str, until: datetime | None
    ) -> None:
        who = await self.audience.addressee(tx, campaign.site, planned.customer, channel)
        answer = token_of(self.vault, planned.follows or planned.id)
        letter = Letter(
            id=planned.id,
            site=campaign.site,
            channel=channel,
            reference=REFERENCE.format(campaign.site, campaign.id, planned.id),
            to=who.to,
            subject=filled(campaign.draft.subject, who, coupon=planned.id),
            text=filled(campaign.draft.body, who, coupon=planned.id, answer=answer),
        )
        await letters.queue(tx, self.vault, letter, not_before=until)

    async def _judge_site(self, tx: Transaction, site: str, by_message: Mapping[str, Letter]) -> Verdicts:
        messages = await care_messages.lock(tx, site, list(by_message))
        who, rules = sorted({one.customer for one in messages.values()}), self.rules(tx, site)
        left = await care_messages.left_since(tx, site, who, rules.cap.window if rules.cap else timedelta())
        reaches = await self.audience.reaches(tx, site, who, lock=True)
        drafts = {one: await campaigns.get(tx, site, one) for one in {one.campaign for one in messages.values()}}
        gone = by_message.keys() - messages.keys()
        verdicts: dict[str, Refuse | Hold] = {by_message[id_].id: Refuse(Suppressed.ERASED) for id_ in gone}
        going = []
        for id_, message in messages.items():
            letter, reach = by_message[id_], reaches.get(message.customer, NOBODY)
            earlier = left[message.customer] if letter.tries == 1 else []  # another try is no other message
            verdict = judged(drafts[message.campaign], reach, rules, earlier, tx.now, only=letter.channel)
            if isinstance(verdict, Stop):
                verdicts[letter.id] = Refuse(verdict.reason)
            elif isinstance(verdict, Wait):
                verdicts[letter.id] = Hold(verdict.until)
            else:
                left[message.customer].append(tx.now)
                going.append(message)
        await care_messages.leave(tx, site, [one.id for one in going])
        for message in going:
            await _give(tx, drafts[message.campaign], message)
        return verdicts


def token_of(vault: Vault, message: str) -> str:
    """What answers a message: its id and a mark that only we can make."""
    return f"{message}.{vault.index(message, purpose='crm.survey.token').hex()[:_MARK]}"


def belongs(campaign: Campaign, person: Person, rules: Rules) -> bool:
    """Whether a customer is in the campaign's audience: in its segment, and of the day for birthdays."""
    if campaign.draft.kind == BIRTHDAY and not _born_on(campaign, person, rules):
        return False
    return holds(campaign.draft.segment, person.facts) is True


def judged(
    campaign: Campaign, reach: Reach, rules: Rules, sent: Sequence[datetime], now: datetime, *, only: str = ""
) -> Send | Wait | Stop:
    """Judge one message of a campaign; `only` is the channel to which it was written."""
    if campaign.state == "CANCELLED":
        return Stop(Suppressed.CANCELLED)
    channels = (only,) if only else campaign.draft.channels
    return decide(
        campaign.draft.purpose, reach, channels=channels, quiet=rules.quiet, cap=rules.cap, sent=sent, now=now
    )


def _born_on(campaign: Campaign, person: Person, rules: Rules) -> bool:
    if campaign.day is None or not person.birth_month:
        return False
    return Birthday(person.birth_month, person.birth_day) in celebrated_on(campaign.day, rules.leap_day)


def _channel(campaign: Campaign, reach: Reach, rules: Rules, now: datetime) -> str:
    """The channel of now, also of what has to wait: when it leaves it is judged anew."""
    verdict = judged(campaign, reach, Rules(rules.zone), (), now)
    assert isinstance(verdict, Send)
    return verdict.channel


async def _give(tx: Transaction, campaign: Campaign, message: Planned) -> None:
    """The coupon that goes along, whose id is the message's: whoever gets no message gets none."""
    draft = campaign.draft
    if not draft.coupon_fen:
        return
    expires_at = tx.now + timedelta(days=draft.coupon_days)
    reference = message.occasion or campaign.id
    made = Coupon(
        campaign.site,
        message.id,
        message.customer,
        coupons_domain.ISSUED,
        draft.coupon_fen,
        CAUSE,
        reference,
        expires_at,
    )
    if await coupons.insert(tx, made) is made:
        tx.audit(Entry(campaign.site, ACTOR, "coupon.issue", made.name, f"{CAUSE} {draft.coupon_fen}"))


def _message(letter: Letter) -> str:
    return REFERENCE.parse(letter.reference)[2]
