"""A running intake service for tests: real PostgreSQL and NATS, the full chain, one client per person and customer."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
from kefu.common.v1.clock_service_pb2 import AdvanceClockRequest
from kefu.common.v1.clock_service_pb2_grpc import ClockServiceStub
from kefu.events.v1.event_pb2 import Event, PersonChanged, PresenceChanged, TierChanged
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceStub
from kefu.intake.v1.site_service_pb2_grpc import SiteServiceStub

from services.intake.app import build
from services.intake.config import IntakeConfig
from services.intake.queries.feed import Feed
from services.kit.access import Kind
from services.kit.client import ClientChannel, Target
from services.kit.crypto import Keys
from services.kit.ids import Ids
from services.kit.server import ServerConfig
from services.kit.testing.grpc import TestKeys
from services.kit.testing.nats import empty
from services.kit.testing.postgres import Databases
from services.policy.process import Process

if TYPE_CHECKING:  # these exist only in the stubs
    from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceAsyncStub
    from kefu.intake.v1.site_service_pb2_grpc import SiteServiceAsyncStub

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"
# Friday, 20 November 2026, 10:00 in Shanghai.
START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
SITE = "online-desk"


class Desk:
    """One site of a running stack. With several app instances, calls go to the first unless `app` says otherwise."""

    def __init__(self, apps: Sequence[Process], feed: Feed, keys: TestKeys, nats_url: str, site: str = SITE) -> None:
        self.apps = apps
        self.feed = feed  # of the first
        self.keys = keys
        self.nats_url = nats_url
        self.site = site
        self.new_id = Ids()
        self._versions = itertools.count(1)
        self._channels: list[ClientChannel] = []

    @property
    def app(self) -> Process:
        """The first instance."""
        return self.apps[0]

    @property
    def parent(self) -> str:
        """The site's resource name."""
        return f"sites/{self.site}"

    def at(self, site: str) -> Desk:
        """The same stack, seen from another site."""
        other = Desk(self.apps, self.feed, self.keys, self.nats_url, site)
        other._versions, other._channels = self._versions, self._channels
        return other

    def channel(self, token: str, *, app: int = 0) -> ClientChannel:
        """A channel with a token."""
        channel = ClientChannel(Target(f"ipv4:127.0.0.1:{self.apps[app].server.port}"), token=lambda: token)
        self._channels.append(channel)
        return channel

    def customer(self, customer: str = "c-1", channel: str = "WEB", *, app: int = 0, **claims: Any) -> Customer:
        """A customer with a channel token."""
        given = {"site": self.site, "channel": channel, "customer": customer, **claims}
        token = self.keys.signer.sign(f"customer/{customer}", Kind.CUSTOMER, ttl=600, **given)
        return Customer(self, ConversationServiceStub(self.channel(token, app=app)), channel)

    def person(
        self, person: str, *roles: str, app: int = 0, sites: Sequence[str] = (), kind: Kind = Kind.PERSON
    ) -> Person:
        """A person, by default an agent of this site."""
        held = {site: list(roles or ("agent",)) for site in sites or (self.site,)}
        token = self.keys.signer.sign(person, kind, ttl=600, sites=held)
        channel = self.channel(token, app=app)
        return Person(self, ConversationServiceStub(channel), SiteServiceStub(channel), person)

    async def staff(
        self,
        person: str,
        *skills: str,
        presence: str = "AVAILABLE",
        capacity: int = 4,
        certified: bool = True,
        active: bool = True,
    ) -> Person:
        """Let staffing tell of a person at work, wait until intake knows, and return them."""
        changed = PersonChanged(
            person=person,
            skills=skills or ("GENERAL",),
            capacity=capacity,
            active=active,
            certified=certified,
            display_name=f"Person {person}",
        )
        await self.tell(Event(aggregate=f"{self.parent}/people/{person}", person_changed=changed))
        await self.presence(person, presence)
        return self.person(person)

    async def presence(self, person: str, state: str) -> None:
        """Let staffing tell of somebody's presence."""
        changed = PresenceChanged(person=person, state=state)
        await self.tell(Event(aggregate=f"{self.parent}/people/{person}", presence_changed=changed))
        await self.settle()

    async def tier(self, customer: str, tier: str) -> None:
        """Let crm tell of a customer's tier."""
        changed = TierChanged(customer=customer, tier=tier)
        event = Event(aggregate=f"{self.parent}/customers/{customer}", tier_changed=changed)
        await self.tell(event, subject=f"kefu.crm.{self.site}.customers")
        await self.settle()

    async def tell(self, event: Event, subject: str = "") -> None:
        """Publish an event as a neighbour does."""
        event.id, event.site, event.version = self.new_id(), self.site, next(self._versions)
        client = await nats.connect(self.nats_url)
        try:
            await client.jetstream().publish(
                subject or f"kefu.staffing.{self.site}.people",
                event.SerializeToString(),
                headers={"Nats-Msg-Id": event.id},
            )
        finally:
            await client.close()

    async def advance(self, seconds: float = 0.0) -> datetime:
        """Move the stack's clock; returns once everything due has happened and is consumed."""
        to = self.now + timedelta(seconds=seconds)
        token = self.keys.token("stack", kind=Kind.SERVICE)
        request = AdvanceClockRequest()
        request.to.FromDatetime(to)
        await ClockServiceStub(self.channel(token)).AdvanceClock(request, timeout=30)
        for app in self.apps[1:]:
            assert app.database.virtual is not None
            app.database.virtual.move(to)
        return self.now

    async def settle(self) -> None:
        """Let everything happen that is due now."""
        await self.advance()

    @property
    def now(self) -> datetime:
        """The stack's time."""
        return self.app.database.clock.now()

    async def history(self, name: str) -> list[api.HistoryEntry]:
        """A conversation's history, as a supervisor reads it."""
        reply = await self.person("boss", "supervisor").stub.ListHistory(
            api.ListHistoryRequest(parent=name, page_size=200)
        )
        return list(reply.entries)

    async def close(self) -> None:
        """Close the clients."""
        for channel in self._channels:
            await channel.close()


class Client:
    """Calls the service as somebody."""

    def __init__(self, desk: Desk, stub: ConversationServiceAsyncStub) -> None:
        self.desk = desk
        self.stub = stub

    async def get(self, name: str) -> pb.Conversation:
        """The conversation now."""
        return await self.stub.GetConversation(api.GetConversationRequest(name=name))

    async def say(
        self, name: str, text: str = "words", kind: pb.Message.Kind.ValueType = pb.Message.KIND_TEXT, **more: Any
    ) -> pb.Message:
        """Add a message; `request_id` and `external_id` may be given."""
        message = pb.Message(kind=kind, text=text, external_id=more.get("external_id", ""))
        request = api.AppendMessageRequest(parent=name, message=message, request_id=more.get("request_id", ""))
        return await self.stub.AppendMessage(request)


class Customer(Client):
    """A customer."""

    def __init__(self, desk: Desk, stub: ConversationServiceAsyncStub, channel: str) -> None:
        super().__init__(desk, stub)
        self._channel = pb.Channel.Value(f"CHANNEL_{channel}")

    async def open(self, text: str = "hello", *, queue: str = "", request_id: str = "", **more: Any) -> pb.Conversation:
        """Open a conversation."""
        conversation = pb.Conversation(channel=self._channel, queue=queue, **more)
        return await self.stub.CreateConversation(
            api.CreateConversationRequest(
                parent=self.desk.parent, conversation=conversation, first_message=text, request_id=request_id
            )
        )

    async def leave(self, name: str) -> pb.Conversation:
        """Go."""
        return await self.stub.LeaveConversation(api.LeaveConversationRequest(name=name))

    async def rate(self, name: str, score: int, **more: Any) -> pb.Conversation:
        """Rate."""
        return await self.stub.RateConversation(api.RateConversationRequest(name=name, score=score, **more))


class Person(Client):
    """A colleague."""

    def __init__(self, desk: Desk, stub: ConversationServiceAsyncStub, site: SiteServiceAsyncStub, person: str) -> None:
        super().__init__(desk, stub)
        self.site = site
        self.person = person

    async def accept(self, name: str, **more: Any) -> pb.Conversation:
        """Take what was offered."""
        return await self.stub.AcceptConversation(api.AcceptConversationRequest(name=name, **more))

    async def decline(self, name: str) -> pb.Conversation:
        """Give it back."""
        return await self.stub.DeclineConversation(api.DeclineConversationRequest(name=name))

    async def need(self, name: str, need: str = "a refund", source: str = "SEARCH") -> pb.Conversation:
        """Record need and source."""
        return await self.stub.RecordNeed(api.RecordNeedRequest(name=name, need=need, source=source))

    async def serve(self, name: str) -> pb.Conversation:
        """Take it and find out the need."""
        await self.accept(name)
        return await self.need(name)

    async def transfer(self, name: str, *, queue: str = "", person: str = "", **more: Any) -> pb.Conversation:
        """Hand over."""
        return await self.stub.TransferConversation(
            api.TransferConversationRequest(name=name, queue=queue, person=person, reason="knows better", **more)
        )

    async def close(self, name: str, **more: Any) -> pb.Conversation:
        """Close with everything that the rules ask for, unless told otherwise."""
        given = {"summary": "refunded", "asked_anything_else": True, "farewell": True, **more}
        return await self.stub.CloseConversation(api.CloseConversationRequest(name=name, **given))


@asynccontextmanager
async def running(url: str, nats_url: str, folder: Path, *, instances: int = 1, **settings: Any) -> AsyncIterator[Desk]:
    """Start intake, the first instance with its worker, on a database that is there already."""
    keys = TestKeys(folder)
    sealing = folder / "sealing.json"
    Keys.create(sealing, "test")
    given: dict[str, Any] = {"environment": "test", "profiles": PROFILES, **settings}
    config = IntakeConfig(
        database=url,
        nats=nats_url,
        public_keys=folder / "public",
        sealing_keys=sealing,
        server=ServerConfig(grace_seconds=2.0),
        **given,
    )
    feed = Feed(nats_url)
    apps = [await build(config, None if number else feed) for number in range(instances)]
    for number, app in enumerate(apps):
        await app.start(work=number == 0)
    desk = Desk(apps, feed, keys, nats_url)
    try:
        yield desk
    finally:
        await desk.close()
        for app in apps:
            await app.stop(drain_seconds=0)


@asynccontextmanager
async def fresh(databases: Databases, nats_url: str, folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    """Start intake in virtual time on a database of its own, with nothing in JetStream."""
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, folder, **settings) as desk:
        yield desk
