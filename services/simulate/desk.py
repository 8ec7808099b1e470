"""The public API as a replay uses it: gRPC, with the tokens that customers, people and telephone systems carry."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from kefu.common.v1.clock_service_pb2 import AdvanceClockRequest
from kefu.common.v1.clock_service_pb2_grpc import ClockServiceStub
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api
from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceStub
from kefu.intake.v1.site_service_pb2_grpc import SiteServiceStub
from kefu.staffing.v1 import staffing_service_pb2 as staffing_api
from kefu.staffing.v1.person_pb2 import Person, Presence
from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub

from services.kit.client import ClientChannel, Target
from services.kit.errors import Aborted, AlreadyExists, Unavailable
from services.simulate.tokens import Tokens

CALL_SECONDS = 30.0
# A step over two days of virtual time fires a thousand timers on the way.
CLOCK_SECONDS = 600.0
RETRY_SECONDS = (0.05, 0.2, 1.0)
WAITS = (pb.Conversation.STATE_ASSIGNED, pb.Conversation.STATE_HANDOFF_PENDING)


class Desk:
    """One site's services. Open with `async with`; every method is one or two calls."""

    def __init__(self, *, intake: str, staffing: str, site: str, tokens: Tokens) -> None:
        self.site = site
        self._tokens = tokens
        self._bearer = ""
        # one caller at a time: the channel asks for the token of whoever acts now
        self._intake = ClientChannel(Target(f"ipv4:{intake}"), token=lambda: self._bearer)
        self._staffing = ClientChannel(Target(f"ipv4:{staffing}"), token=lambda: self._bearer)
        self._conversations: Any = ConversationServiceStub(self._intake)
        self._sites: Any = SiteServiceStub(self._intake)
        self._people: Any = StaffingServiceStub(self._staffing)
        self._intake_clock: Any = ClockServiceStub(self._intake)
        self._staffing_clock: Any = ClockServiceStub(self._staffing)

    async def __aenter__(self) -> Desk:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._intake.close()
        await self._staffing.close()

    async def hire(self, person: str, skills: Sequence[str], capacity: int) -> None:
        """Add a person, unless they are there."""
        self._bearer = self._tokens.service()
        made = Person(display_name=person, grade=Person.GRADE_SENIOR, skills=skills, capacity=capacity, certified=True)
        request = staffing_api.CreatePersonRequest(parent=f"sites/{self.site}", person_id=person, person=made)
        try:
            await self._do(self._people.CreatePerson, request)
        except AlreadyExists:
            return

    async def be(self, person: str, state: Presence.State.ValueType) -> None:
        """Set somebody's presence."""
        self._bearer = self._tokens.person(self.site, person)
        name = f"sites/{self.site}/people/{person}"
        await self._do(self._people.SetPresence, staffing_api.SetPresenceRequest(name=name, state=state))

    async def arrive(
        self, *, channel: pb.Channel.ValueType, key: str, customer: str, tier: str, queue: str, text: str = ""
    ) -> pb.Conversation:
        """A customer calls, or writes."""
        self._bearer = self._tokens.customer(self.site, pb.Channel.Name(channel)[8:], customer, tier)
        opened = pb.Conversation(channel=channel, external_id=key, queue=queue)
        request = api.CreateConversationRequest(
            parent=f"sites/{self.site}", conversation=opened, first_message=text, request_id=key, simulated=True
        )
        found: pb.Conversation = await self._do(self._conversations.CreateConversation, request)
        return found

    async def offered(self) -> list[pb.Conversation]:
        """What was offered to somebody who has not taken it yet."""
        self._bearer = self._tokens.service()
        request = api.ListConversationsRequest(parent=f"sites/{self.site}", states=WAITS, page_size=200)
        reply = await self._do(self._conversations.ListConversations, request)
        return list(reply.conversations)

    async def accept(self, name: str, person: str) -> pb.Conversation:
        """Somebody takes what was offered to them."""
        self._bearer = self._tokens.person(self.site, person)
        found: pb.Conversation = await self._do(
            self._conversations.AcceptConversation, api.AcceptConversationRequest(name=name)
        )
        return found

    async def say(
        self, name: str, person: str, text: str, *, kind: pb.Message.Kind.ValueType = pb.Message.KIND_TEXT
    ) -> None:
        """Somebody at the desk writes to the customer."""
        self._bearer = self._tokens.person(self.site, person)
        await self._append(name, text, kind)

    async def ask(self, name: str, text: str, *, channel: str, customer: str, tier: str) -> None:
        """The customer writes again."""
        self._bearer = self._tokens.customer(self.site, channel, customer, tier)
        await self._append(name, text, pb.Message.KIND_TEXT)

    async def leave(self, name: str, *, channel: str, customer: str, tier: str) -> None:
        """The customer goes."""
        self._bearer = self._tokens.customer(self.site, channel, customer, tier)
        await self._do(self._conversations.LeaveConversation, api.LeaveConversationRequest(name=name))

    async def record_need(self, name: str, person: str) -> None:
        """Somebody writes down what the customer needs."""
        self._bearer = self._tokens.person(self.site, person)
        await self._do(
            self._conversations.RecordNeed, api.RecordNeedRequest(name=name, need="Simulated", source="SIMULATED")
        )

    async def people(self) -> list[str]:
        """Ids of everybody at the site."""
        self._bearer = self._tokens.service()
        request = staffing_api.ListPeopleRequest(parent=f"sites/{self.site}", page_size=500)
        reply = await self._do(self._people.ListPeople, request)
        return [person.name.rpartition("/")[2] for person in reply.people]

    async def _append(self, name: str, text: str, kind: pb.Message.Kind.ValueType) -> None:
        request = api.AppendMessageRequest(parent=name, message=pb.Message(kind=kind, text=text))
        await self._do(self._conversations.AppendMessage, request)

    async def hang_up(self, name: str) -> None:
        """The telephone system reports that the customer hung up."""
        self._bearer = self._tokens.service()
        request = api.HangUpRequest(name=name, side=api.HANG_UP_SIDE_CUSTOMER)
        await self._do(self._conversations.HangUp, request)

    async def close(self, name: str, person: str) -> None:
        """Somebody closes with everything that a site may ask for."""
        self._bearer = self._tokens.person(self.site, person)
        request = api.CloseConversationRequest(
            name=name,
            summary="Simulated",
            asked_anything_else=True,
            farewell=True,
            need="Simulated",
            source="SIMULATED",
        )
        await self._do(self._conversations.CloseConversation, request)

    async def rate(self, name: str, *, channel: str, customer: str, tier: str, score: int) -> None:
        """The customer rates."""
        self._bearer = self._tokens.customer(self.site, channel, customer, tier)
        await self._do(self._conversations.RateConversation, api.RateConversationRequest(name=name, score=score))

    async def advance(self, to: datetime) -> int:
        """Move intake's clock; returns how many timers fired."""
        self._bearer = self._tokens.service()
        request = AdvanceClockRequest()
        request.to.FromDatetime(to)
        return int((await self._do(self._intake_clock.AdvanceClock, request, CLOCK_SECONDS)).timers_fired)

    async def advance_staffing(self, to: datetime) -> None:
        """Move staffing's clock, and wait until intake has heard what happened there."""
        self._bearer = self._tokens.service()
        request = AdvanceClockRequest()
        request.to.FromDatetime(to)
        await self._do(self._staffing_clock.AdvanceClock, request, CLOCK_SECONDS)

    async def conversations(self) -> AsyncIterator[pb.Conversation]:
        """Every conversation of the site."""
        token = ""
        while True:
            self._bearer = self._tokens.service()
            request = api.ListConversationsRequest(parent=f"sites/{self.site}", page_size=200, page_token=token)
            reply = await self._do(self._conversations.ListConversations, request)
            for one in reply.conversations:
                yield one
            token = reply.next_page_token
            if not token:
                return

    async def history(self, name: str) -> AsyncIterator[api.HistoryEntry]:
        """The history of a conversation, oldest first."""
        token = ""
        while True:
            self._bearer = self._tokens.service()
            reply = await self._do(
                self._conversations.ListHistory, api.ListHistoryRequest(parent=name, page_token=token)
            )
            for entry in reply.entries:
                yield entry
            token = reply.next_page_token
            if not token:
                return

    async def _do(self, method: Any, request: Any, seconds: float = CALL_SECONDS) -> Any:
        """Call, and call again with the same request id when somebody was faster or a service was away for a moment."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        for wait in RETRY_SECONDS:
            try:
                return await method(request, timeout=seconds)
            except (Aborted, Unavailable):
                await asyncio.sleep(wait)
        return await method(request, timeout=seconds)

    async def report(self, start: datetime, end: datetime) -> site_api.ServiceLevelReport:
        """The site's own report of a period."""
        self._bearer = self._tokens.service()
        request = site_api.GetServiceLevelReportRequest(parent=f"sites/{self.site}")
        getattr(request, "from").FromDatetime(start)
        request.to.FromDatetime(end)
        found: site_api.ServiceLevelReport = await self._do(self._sites.GetServiceLevelReport, request)
        return found
