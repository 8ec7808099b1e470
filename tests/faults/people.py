"""Customers and colleagues who carry on whatever happens to the service, and write down what they were told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import nats
from kefu.events.v1.event_pb2 import Event, PersonChanged, PresenceChanged
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceStub

from services.kit import bus
from services.kit.access import Kind
from services.kit.client import ClientChannel, Target
from services.kit.errors import FailedPrecondition, KefuError
from tests.faults.checker import Record
from tests.faults.rig import Rig

if TYPE_CHECKING:  # exists only in the stubs
    from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceAsyncStub

SITE = "online-desk"
CALL_SECONDS = 3.0
PAUSE_SECONDS = 0.05
CAPACITY = 4

R = TypeVar("R")


class Client:
    """Somebody who repeats a call under one request id until it is answered."""

    def __init__(self, rig: Rig, subject: str, kind: Kind, **claims: Any) -> None:
        token = rig.signer.sign(subject, kind, ttl=3600, **claims)
        self._channel = ClientChannel(Target(f"ipv4:{rig.address}"), token=lambda: token)
        self.stub: ConversationServiceAsyncStub = ConversationServiceStub(self._channel)

    async def insist(self, call: Callable[[], Awaitable[R]], unknown: Callable[[], None] = lambda: None) -> R:
        """Call until there is an answer that is not about the service being away."""
        while True:
            try:
                return await call()
            except FailedPrecondition:
                raise
            except KefuError:
                unknown()
                await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()


class Writer(Client):
    """A customer who says one thing after the other; each only once the one before is acknowledged."""

    def __init__(self, rig: Rig, name: str, record: Record, *, queue: str) -> None:
        super().__init__(rig, name, Kind.CUSTOMER, site=SITE, channel="WEB", customer=name)
        self.sent: list[str] = []
        self.conversation = ""
        self._name = name
        self._record = record
        self._queue = queue
        self._numbers = itertools.count(1)

    async def open(self) -> None:
        """Open the conversation."""
        conversation = pb.Conversation(channel=pb.CHANNEL_WEB, queue=self._queue, external_id=f"{self._name}-x")
        request = api.CreateConversationRequest(
            parent=f"sites/{SITE}", conversation=conversation, request_id=f"{self._name}-open"
        )
        opened = await self.insist(lambda: self.stub.CreateConversation(request, timeout=CALL_SECONDS))
        self.conversation = opened.name

    async def say(self) -> None:
        """Say the next thing, until it is acknowledged."""
        request_id = f"{self._name}-{next(self._numbers)}"
        text = f"words of {request_id}"
        self.sent.append(request_id)
        self._record.said[request_id] = text
        request = api.AppendMessageRequest(
            parent=self.conversation, message=pb.Message(text=text), request_id=request_id
        )
        reply = await self.insist(
            lambda: self.stub.AppendMessage(request, timeout=CALL_SECONDS),
            lambda: self._record.unknown.add(request_id),
        )
        self._record.heard(request_id, reply.name)

    async def go_on(self, stop: asyncio.Event) -> None:
        """Talk until told to stop."""
        await self.open()
        while not stop.is_set():
            await self.say()

    async def again(self, request_ids: Sequence[str]) -> None:
        """Repeat calls that were answered already: the answers must be the same."""
        for request_id in request_ids:
            message = pb.Message(text=self._record.said[request_id])
            request = api.AppendMessageRequest(parent=self.conversation, message=message, request_id=request_id)
            self._record.heard(request_id, (await self.insist(lambda: self.stub.AppendMessage(request))).name)  # noqa: B023


class Agent(Client):
    """A colleague who takes what is offered, answers and closes it."""

    def __init__(self, rig: Rig, name: str) -> None:
        super().__init__(rig, name, Kind.PERSON, sites={SITE: ["agent"]}, person=name)
        self.name = name
        self.served = 0

    async def go_on(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        request = api.ListConversationsRequest(
            parent=f"sites/{SITE}", assignee=self.name, states=[pb.Conversation.STATE_ASSIGNED]
        )
        while not stop.is_set():
            found = await self.insist(lambda: self.stub.ListConversations(request, timeout=CALL_SECONDS))
            for conversation in found.conversations:
                await self._serve(conversation.name)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _serve(self, name: str) -> None:
        key = name.rpartition("/")[2]
        greeting = api.AppendMessageRequest(
            parent=name, message=pb.Message(text=f"answer to {key}"), request_id=f"{key}-answer"
        )
        accept = api.AcceptConversationRequest(name=name, request_id=f"{key}-accept")
        close = api.CloseConversationRequest(
            name=name,
            request_id=f"{key}-close",
            summary="done",
            asked_anything_else=True,
            farewell=True,
            need="help",
            source="SEARCH",
        )
        need = api.RecordNeedRequest(name=name, request_id=f"{key}-need", need="help", source="SEARCH")
        try:
            await self.insist(lambda: self.stub.AcceptConversation(accept, timeout=CALL_SECONDS))
            await self.insist(lambda: self.stub.AppendMessage(greeting, timeout=CALL_SECONDS))
            await self.insist(lambda: self.stub.RecordNeed(need, timeout=CALL_SECONDS))
            await self.insist(lambda: self.stub.CloseConversation(close, timeout=CALL_SECONDS))
        except FailedPrecondition:
            return  # taken back meanwhile: the rules say so
        self.served += 1


async def at_work(rig: Rig, people: Sequence[str]) -> None:
    """Tell intake of colleagues, as staffing does."""
    client = await nats.connect(rig.nats_url)
    try:
        jetstream = client.jetstream()
        await bus.ensure_stream(jetstream)
        for number, person in enumerate(people, 1):
            aggregate = f"sites/{SITE}/people/{person}"
            changed = PersonChanged(
                person=person, skills=["GENERAL"], capacity=CAPACITY, active=True, certified=True, display_name=person
            )
            for event in (
                Event(id=f"person-{number}", aggregate=aggregate, site=SITE, version=1, person_changed=changed),
                Event(
                    id=f"presence-{number}",
                    aggregate=aggregate,
                    site=SITE,
                    version=2,
                    presence_changed=PresenceChanged(person=person, state="AVAILABLE"),
                ),
            ):
                await jetstream.publish(f"kefu.staffing.{SITE}.people", event.SerializeToString())
    finally:
        await client.close()
