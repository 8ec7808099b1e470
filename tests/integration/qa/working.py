"""Days of work as intake and staffing tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import nats
from kefu.events.v1 import event_pb2 as facts
from kefu.qa.v1 import scorecard_service_pb2 as api
from kefu.qa.v1.scorecard_service_pb2_grpc import ScorecardServiceStub

from tests.integration.qa.test_app import Whole


class Works:
    """Tells of people's work at a site, and reads the scorecards that it gives."""

    def __init__(self, whole: Whole, site: str) -> None:
        self._whole = whole
        self.site = site
        self.parent = f"sites/{site}"
        self.scorecards: Any = ScorecardServiceStub(whole.channel)

    async def tell(self, told: Sequence[tuple[str, str, str, Any, datetime]]) -> None:
        """(service, aggregate, fact, message, when), in order."""
        link = await nats.connect(self._whole._nats)
        try:
            for source, aggregate, name, fact, at in told:
                number = next(self._whole._numbers)
                event = facts.Event(
                    id=f"w-{number}", source=source, site=self.site, version=number, aggregate=aggregate, **{name: fact}
                )
                event.occurred_at.FromDatetime(at)
                kind = aggregate.split("/")[2]
                await link.jetstream().publish(f"kefu.{source}.{self.site}.{kind}", event.SerializeToString())
        finally:
            await link.close()

    async def day(
        self,
        person: str,
        start: datetime,
        *,
        conversations: int,
        first_response_s: float = 20.0,
        late: bool = False,
        ratings: Sequence[int] = (),
        online_h: float = 0.0,
        reopened: int = 0,
        reply_s: float = 10.0,
        unanswered: int = 0,
    ) -> None:
        """A working day: each conversation taken, answered, ended, the first ones rated and opened again."""
        told: list[tuple[str, str, str, Any, datetime]] = []
        who = f"{self.parent}/people/{person}"
        if online_h:
            told.append(("staffing", who, "presence_changed", _presence(person, "AVAILABLE"), start))
            until = start + timedelta(hours=online_h)
            told.append(("staffing", who, "presence_changed", _presence(person, "OFFLINE"), until))
        for number in range(conversations + unanswered):
            name = f"{self.parent}/conversations/{person}-{start:%m%d}-{number}"
            taken = facts.AssignmentChanged(to_person=person, cause="ACCEPTED", accountable=person)
            told.append(("intake", name, "assignment_changed", taken, start))
            if number >= conversations:
                continue
            change = "STOPPED_LATE" if late else "MET"
            for clock, seconds in (("FIRST_RESPONSE", first_response_s), ("REPLY_GAP", reply_s)):
                met = facts.ClockChanged(clock=clock, change=change, elapsed_seconds=seconds, person=person)
                told.append(("intake", name, "clock_changed", met, start + timedelta(seconds=seconds)))
            end = start + timedelta(minutes=5)
            ended = facts.ConversationMoved(from_state="SERVING", to_state="AWAITING_RATING", transition="finish")
            told.append(("intake", name, "conversation_moved", ended, end))
            closed = facts.ConversationMoved(from_state="AWAITING_RATING", to_state="CLOSED", transition="close")
            told.append(("intake", name, "conversation_moved", closed, end))
            if number < len(ratings):
                rated = facts.ConversationRated(score=ratings[number], person=person)
                told.append(("intake", name, "conversation_rated", rated, end))
            if number < reopened:
                again = facts.ConversationMoved(from_state="CLOSED", to_state="QUEUED", transition="reopen")
                told.append(("intake", name, "conversation_moved", again, end))
        await self.tell(told)

    async def computed(self, period: str) -> dict[str, api.Scorecard]:
        """Everybody's scorecard of a period, computed now."""
        await self.scorecards.ComputeScorecards(api.ComputeScorecardsRequest(parent=self.parent, period=period))
        request = api.ListScorecardsRequest(parent=self.parent, period=period)
        page = await self.scorecards.ListScorecards(request)
        return {one.name.split("/")[3]: one for one in page.scorecards}

    async def state(self, period: str, source: Any, **values: float) -> None:
        """Values of people, as person__metric."""
        request = api.StateMetricsRequest(parent=self.parent, period=period, source=source, origin="back office")
        for key, value in values.items():
            person, metric = key.split("__")
            request.values.add(person=person, metric=metric, value=value)
        await self.scorecards.StateMetrics(request)


def lines(card: api.Scorecard) -> dict[str, api.ScorecardLine]:
    return {one.metric: one for one in card.lines}


def _presence(person: str, state: str) -> facts.PresenceChanged:
    return facts.PresenceChanged(person=person, state=state)
