"""What intake tells of customers: conversations and complaints on the timeline, visits that count as activity."""

from __future__ import annotations

from kefu.events.v1.event_pb2 import Event

from services.crm.profiles import SiteProfiles
from services.crm.store import standings, timeline
from services.kit.db import Transaction

CONSUMER = "crm-conversations"
SUBJECTS = ("kefu.intake.*.conversations",)


class Neighbours:
    """Keeps what others tell, ids and states only."""

    def __init__(self, profiles: SiteProfiles) -> None:
        self._profiles = profiles

    async def handle(self, event: Event, tx: Transaction) -> None:
        """Take over one event; facts of other kinds and of nobody known are none of crm's business."""
        if event.WhichOneof("fact") == "conversation_rated":
            await self._rated(event, tx)
            return
        moved = event.conversation_moved
        if event.WhichOneof("fact") != "conversation_moved" or not moved.customer:
            return
        at = event.occurred_at.ToDatetime(self._profiles.at(event.site, tx.now).timezone)
        await timeline.note(
            tx,
            event.site,
            moved.customer,
            at=at,
            kind="CONVERSATION",
            object_=event.aggregate,
            detail=moved.to_state,
        )
        if not moved.from_state:
            await standings.add_days(tx, event.site, {(moved.customer, at.date()): (0, 0, 1)})

    async def _rated(self, event: Event, tx: Transaction) -> None:
        """A rating below the site's floor calls for a word with the customer of that conversation."""
        profile = self._profiles.at(event.site, tx.now)
        floor = profile.rating.floor if profile.rating else None
        customer = await timeline.customer_of(tx, event.site, event.aggregate)
        if customer is None or floor is None or event.conversation_rated.score >= floor:
            return
        at = event.occurred_at.ToDatetime(profile.timezone)
        score = str(event.conversation_rated.score)
        await timeline.note(tx, event.site, customer, at=at, kind="LOW_RATING", object_=event.aggregate, detail=score)
