"""What staffing and crm tell: who is at work, with which skills, and which customers are whose."""

from __future__ import annotations

from typing import Final

from kefu.events.v1.event_pb2 import Event

from services.intake.commands.routing import Observe
from services.intake.commands.rules import RulesOf
from services.intake.commands.work import Work
from services.intake.convert import Converter
from services.intake.domain.commands import ROUTER, Release
from services.intake.domain.decide import Context, decide
from services.intake.store import people, reads
from services.kit.db import Database, Transaction
from services.kit.errors import Aborted

PEOPLE: Final = "intake-people"
PEOPLE_SUBJECTS: Final = ("kefu.staffing.*.people",)
TIERS: Final = "intake-tiers"
TIERS_SUBJECTS: Final = ("kefu.crm.*.customers",)
_AT_DESK: Final = frozenset({"AVAILABLE", "BUSY"})


class People:
    """Keeps intake's copies, and acts on what they mean for the line."""

    def __init__(self, database: Database, rules: RulesOf, converter: Converter, *, observe: Observe) -> None:
        self._database = database
        self._rules = rules
        self._converter = converter
        self._observe = observe

    async def handle(self, event: Event, tx: Transaction) -> None:
        """Take over one event; facts of other kinds are none of intake's business."""
        fact = event.WhichOneof("fact")
        if fact == "person_changed":
            await self._person(event, tx)
        elif fact == "presence_changed":
            await self._presence(event, tx)
        elif fact == "tier_changed":
            tier = event.tier_changed
            await people.put_tier(tx, event.site, tier.customer, tier=tier.tier, version=event.version)

    async def _person(self, event: Event, tx: Transaction) -> None:
        changed = event.person_changed
        known, _ = await people.versions(tx, event.site, changed.person)
        if known >= event.version:
            return
        await self._release(event.site, "" if changed.active else changed.person, tx)
        capacity = changed.capacity or self._rules.at(event.site, tx.now).profile.routing.capacity_default
        new = await people.put_person(
            tx,
            event.site,
            changed.person,
            skills=list(changed.skills),
            capacity=capacity,
            active=changed.active,
            certified=changed.certified,
            name_sealed=self._converter.seal_person(event.site, changed.person, changed.display_name),
            version=event.version,
        )
        await self._check(event.site, "" if changed.active else changed.person, tx, new=new)

    async def _presence(self, event: Event, tx: Transaction) -> None:
        changed = event.presence_changed
        _, known = await people.versions(tx, event.site, changed.person)
        if known >= event.version:
            return
        gone = "" if changed.state in _AT_DESK else changed.person
        await self._release(event.site, gone, tx)
        new = await people.put_presence(tx, event.site, changed.person, presence=changed.state, version=event.version)
        await self._check(event.site, gone, tx, new=new)

    async def _release(self, site: str, gone: str, tx: Transaction) -> None:
        """Let the site route; what was offered to somebody who went away goes on without them.

        Conversations, timers, people: commands lock in this order, so the person's own row is written after this.
        """
        work = Work(tx, self._database.new_id)
        work.route(site)
        if gone:
            keys = [(site, id_) for id_ in await people.offered(tx, site, gone)]
            rules = self._rules.at(site, tx.now)
            for conversation in (await reads.lock(tx, keys)).values():
                work.take([conversation])
                context = Context(rules, tx.now, ROUTER, work.new_id)
                work.add(decide(conversation, Release(gone), context), "")
        await work.save()
        tx.after_commit(lambda: self._observe(work.decisions))

    async def _check(self, site: str, gone: str, tx: Transaction, *, new: bool) -> None:
        """Have it all done again where somebody was faster: a newer event, or an offer, before the row was ours."""
        if not new or (gone and await people.offered(tx, site, gone)):
            raise Aborted
