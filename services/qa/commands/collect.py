"""What intake and staffing tell of people's work becomes observations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from kefu.events.v1.event_pb2 import Event

from services.kit.db import Transaction
from services.policy.desk import SiteProfiles
from services.qa.domain.presence import online_by_day
from services.qa.store import facts as store
from services.qa.store.facts import Observation

CONVERSATIONS: Final = "qa-metrics"
PEOPLE: Final = "qa-presence"
# How a promise ends that was answered, in time or late.
ANSWERED: Final = frozenset({"MET", "STOPPED_LATE"})
CLOCKS: Final = {"FIRST_RESPONSE": "first_response", "REPLY_GAP": "reply_gap"}
AFTER_SERVICE: Final = frozenset({"AWAITING_RATING", "CLOSED"})
# A part of a conversation that went on without the person: its time is not theirs.
NOBODY: Final = ""


class Collector:
    """Observes; ids, times and figures only. A conversation's facts lie on the day of their event."""

    def __init__(self, profiles: SiteProfiles) -> None:
        self._profiles = profiles

    async def conversation(self, event: Event, tx: Transaction) -> None:
        """One fact about a conversation."""
        match event.WhichOneof("fact"):
            case "clock_changed":
                found = self._clocked(event)
            case "assignment_changed":
                found = self._assigned(event)
            case "conversation_rated":
                found = {(event.conversation_rated.person, "rating"): float(event.conversation_rated.score)}
            case "conversation_moved":
                found = await self._moved(event, tx)
            case _:
                return
        await self._observe(tx, event, found)

    async def person(self, event: Event, tx: Transaction) -> None:
        """A person's presence changed: the stretch before it counts, by days of the site."""
        if event.WhichOneof("fact") != "presence_changed":
            return
        told, at = event.presence_changed, _instant(event)
        before = await store.presence(tx, event.site, told.person)
        if before is not None and before["version"] >= event.version:
            return
        await store.put_presence(tx, event.site, told.person, told.state, at, event.version)
        if before is None:
            return
        zone = self._zone(event.site, at)
        stretches = online_by_day(before["state"], before["since"], at, zone)
        await store.observe(
            tx,
            event.site,
            [
                Observation(day, told.person, "online", seconds, at, event.aggregate, event.id)
                for day, seconds in stretches
            ],
        )

    def _clocked(self, event: Event) -> dict[tuple[str, str], float]:
        told = event.clock_changed
        fact = CLOCKS.get(told.clock)
        if fact is None or told.change not in ANSWERED:
            return {}
        found = {(told.person, fact): told.elapsed_seconds}
        if fact == "first_response" and told.change == "STOPPED_LATE":
            found[told.person, "first_response_late"] = 1.0
        return found

    def _assigned(self, event: Event) -> dict[tuple[str, str], float]:
        told = event.assignment_changed
        if told.cause == "ACCEPTED":
            return {(told.to_person, "received"): 1.0}
        return {(told.from_person, "transferred"): 1.0} if told.cause == "TRANSFERRED" else {}

    async def _moved(self, event: Event, tx: Transaction) -> dict[tuple[str, str], float]:
        told = event.conversation_moved
        ended = told.to_state in AFTER_SERVICE and told.from_state not in AFTER_SERVICE
        if not ended and told.transition != "reopen":
            return {}
        served = await store.served(tx, event.site, event.aggregate)
        if served is None:
            return {}
        person, began = served
        if told.transition == "reopen":
            return {(person, "reopened"): 1.0}
        return {(person, "handled"): max(0.0, (_instant(event) - began).total_seconds())}

    async def _observe(self, tx: Transaction, event: Event, found: dict[tuple[str, str], float]) -> None:
        at = _instant(event)
        day = at.astimezone(self._zone(event.site, at)).date()
        observed = [
            Observation(day, person, fact, value, at, event.aggregate, event.id)
            for (person, fact), value in found.items()
            if person != NOBODY
        ]
        await store.observe(tx, event.site, observed)

    def _zone(self, site: str, at: datetime) -> ZoneInfo:
        return self._profiles.at(site, at).timezone


def _instant(event: Event) -> datetime:
    return event.occurred_at.ToDatetime(UTC)
