"""Winning lost customers back: detected, planned, contacted, heard, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from services.crm.commands.coupons import Coupons
from services.crm.commands.ledger import Ledger
from services.crm.domain.cycles import WIN_BACK, Act
from services.crm.domain.holdout import Arm, arm_of
from services.crm.domain.rules import points_rule, win_back_rule
from services.crm.domain.win_back import Offer, WinBack
from services.crm.profiles import SiteProfiles
from services.crm.store import win_backs
from services.crm.store.words import WordStore
from services.kit.audit import Entry
from services.kit.crypto import Vault
from services.kit.db import Database, Transaction
from services.policy.profile import Profile

CAUSE: Final = "WIN_BACK"
ACTOR: Final = "win-back"
BATCH: Final = 500
RESPONSE: Final = "RESPONSE"


@dataclass(frozen=True, slots=True)
class WinBacks:
    """Commands on win-back cases."""

    profiles: SiteProfiles
    ledger: Ledger
    coupons: Coupons
    words: WordStore
    vault: Vault
    new_id: Callable[[], str]

    async def detect(self, tx: Transaction, profile: Profile, customers: Sequence[str]) -> None:
        """Open a case for each who was lost; some are held back by lot, under a key that nobody sees."""
        rule = win_back_rule(profile)
        if rule is None:
            return
        seed = self.vault.index(profile.site, purpose="crm.win_backs.lot")
        for customer in customers:
            id_ = self.new_id()
            arm = arm_of(seed, id_, customer, share=rule.holdout_share)
            await win_backs.detect(tx, profile.site, id_, customer, arm=arm, ends_at=tx.now + rule.window)

    async def plan(self, tx: Transaction, site: str, id_: str, *, cause: str, offer: Offer, actor: str) -> WinBack:
        """Say why the customer was lost and what they are offered. FailedPrecondition HELD_BACK, OFFER_MISSING."""
        before = await win_backs.get(tx, site, id_)
        act = Act(actor, reason=cause, offer=str(offer), held_back=before.arm == Arm.HELD_BACK)
        changes = {"reward_points": offer.points, "coupon_fen": offer.coupon_fen, "coupon_days": offer.coupon_days}
        return await _move(tx, before, "plan", act, cause=cause, owner=actor, **changes)

    async def contact(self, tx: Transaction, site: str, id_: str, *, note: str, actor: str) -> WinBack:
        """Note a personal contact; the coupon goes along with the first. FailedPrecondition ATTEMPTS_USED_UP."""
        before = await win_backs.get(tx, site, id_)
        rule = win_back_rule(self.profiles.at(site, tx.now))
        most = rule.max_contacts if rule else 0
        act = Act(actor, note=note, attempts=before.contacts, most_attempts=most)
        after = await _move(tx, before, "contact", act, contacts=before.contacts + 1)
        await self.words.put(tx, site, before.customer, before.name, f"CONTACT_{after.contacts}", note)
        if after.coupon_fen:
            await self.coupons.issue(
                tx,
                site,
                after.customer,
                value_fen=after.coupon_fen,
                valid_days=after.coupon_days,
                cause=CAUSE,
                reference=after.id,
                actor=actor,
            )
        return after

    async def respond(self, tx: Transaction, site: str, id_: str, *, note: str, actor: str) -> WinBack:
        """Note what the customer said."""
        before = await win_backs.get(tx, site, id_)
        after = await _move(tx, before, "respond", Act(actor, note=note))
        await self.words.put(tx, site, before.customer, before.name, RESPONSE, note)
        return after

    async def settle(self, database: Database, profile: Profile) -> int:
        """End cases whose customer bought again, with the points promised, or whose time is over; returns how many."""
        ended, after = 0, ""
        while True:
            async with database.transaction(sites=[profile.site]) as tx:
                found = await win_backs.ending(tx, profile.site, after=after, limit=BATCH)
                for case, returned in found:
                    await self._settle(tx, profile, case, returned=returned)
            ended += len(found)
            if len(found) < BATCH:
                return ended
            after = found[-1][0].id

    async def _settle(self, tx: Transaction, profile: Profile, case: WinBack, *, returned: bool) -> None:
        await _move(tx, case, "return" if returned else "give_up", Act(ACTOR), ended_at=tx.now)
        if returned and case.reward_points and points_rule(profile) is not None:
            await self.ledger.grant(
                tx,
                case.site,
                case.customer,
                points=case.reward_points,
                cause=CAUSE,
                reference=case.id,
                actor=ACTOR,
            )


async def _move(tx: Transaction, before: WinBack, transition: str, act: Act, **changes: Any) -> WinBack:
    step = WIN_BACK.apply(before.state, transition, act)
    after = replace(before, state=step.to_state, **changes)
    await win_backs.update(tx, after)
    tx.audit(Entry(before.site, act.actor, f"win_back.{transition}", before.name, after.cause))
    return after
