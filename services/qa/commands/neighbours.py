"""What intake and staffing tell: conversations that end are recordings, people come and go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from kefu.events.v1.event_pb2 import Event

from services.kit.db import Transaction
from services.qa.commands.recordings import Recordings
from services.qa.domain.recording import kind_of
from services.qa.store import conversations as store

CONVERSATIONS: Final = "qa-conversations"
CONVERSATIONS_SUBJECTS: Final = ("kefu.intake.*.conversations",)
PEOPLE: Final = "qa-people"
PEOPLE_SUBJECTS: Final = ("kefu.staffing.*.people",)
# Where a person's part is over. A conversation that nobody took before it was abandoned has nothing to review.
ENDED: Final = frozenset({"AWAITING_RATING", "CLOSED", "REDIRECTED"})
ACTOR: Final = "intake"


class Neighbours:
    """Takes over what others tell, ids and states only."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    async def conversation(self, event: Event, tx: Transaction) -> None:
        """One fact about a conversation; the kinds that tell nothing of its recording are passed over."""
        fact = event.WhichOneof("fact")
        handle = {
            "conversation_moved": self._moved,
            "assignment_changed": self._assigned,
            "clock_changed": self._clocked,
            "conversation_rated": self._rated,
        }.get(str(fact))
        if handle is not None:
            await handle(event, tx, event.aggregate)

    async def person(self, event: Event, tx: Transaction) -> None:
        """A person came, changed or left."""
        if event.WhichOneof("fact") == "person_changed":
            told = event.person_changed
            await store.put_person(tx, event.site, told.person, active=told.active, version=event.version)

    async def _moved(self, event: Event, tx: Transaction, subject: str) -> None:
        told, at = event.conversation_moved, _instant(event)
        known: Any = await store.moved(
            tx, event.site, subject, channel=told.channel, queue=told.queue, customer=told.customer, at=at
        )
        if told.to_state == "HARASSMENT_HOLD":
            await store.sign(tx, event.site, subject, "harassed", True)
        if told.to_state in ENDED:
            ended_at = min(at, tx.now)  # clocks of two services may differ a little
            await self._recordings.register(
                tx,
                event.site,
                kind=kind_of(known["channel"]),
                subject=subject,
                person=known["person"],
                channel=known["channel"],
                queue=known["queue"],
                customer=known["customer"],
                started_at=min(known["started_at"], ended_at),
                ended_at=ended_at,
                actor=ACTOR,
            )

    async def _assigned(self, event: Event, tx: Transaction, subject: str) -> None:
        told = event.assignment_changed
        if told.cause == "ACCEPTED":
            await store.served(tx, event.site, subject, told.to_person, _instant(event))
        elif told.cause == "TRANSFERRED":
            await store.sign(tx, event.site, subject, "transferred", True)

    async def _clocked(self, event: Event, tx: Transaction, subject: str) -> None:
        if event.clock_changed.change == "BREACHED":
            await store.sign(tx, event.site, subject, "breached", True)

    async def _rated(self, event: Event, tx: Transaction, subject: str) -> None:
        await store.sign(tx, event.site, subject, "rating", event.conversation_rated.score)


def _instant(event: Event) -> datetime:
    return event.occurred_at.ToDatetime(UTC)
