"""A shop in virtual time whose campaigns leave through a real mail server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from google.protobuf.json_format import ParseDict
from kefu.crm.v1 import campaign_service_pb2 as api
from kefu.crm.v1.campaign_service_pb2_grpc import CampaignServiceStub

from services.crm.app import Parts, routes, servicers
from services.crm.commands.holders import Holders
from services.crm.domain.consent import Consent
from services.crm.domain.customer import File, Identity
from services.crm.domain.orders import Line, Lines
from services.crm.profiles import SiteProfiles
from services.crm.store import consents
from services.kit.access import Access
from services.kit.db import Database
from services.kit.outbound.courier import Courier
from services.kit.outbound.letters import Letter, Letters
from services.kit.outbound.senders import OutboundConfig, Senders
from services.kit.testing.grpc import Running, serve
from services.kit.testing.postgres import Databases
from services.kit.timers import Dispatcher
from tests.integration.crm.conftest import ACCESS, SITE, UNMASK, parts_of

START = datetime(2026, 3, 2, 4, tzinfo=UTC)  # noon in Shanghai
SOURCE = "SHOP"


@dataclass
class Mailbox:
    """A mail server that takes everything, and can do something when a message comes."""

    got: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    before: list[Any] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        for act in self.before:
            await act()
        self.got += envelope.rcpt_tos
        assert isinstance(envelope.content, bytes)
        self.texts.append(envelope.content.decode())
        return "250 OK"


class Shop:
    """One site with everything that writes to its customers."""

    def __init__(self, database: Database, parts: Parts, running: Running, courier: Courier[Letter]) -> None:
        self.database = database
        self.parts = parts
        self.running = running
        self.courier = courier
        self.dispatcher = Dispatcher(database, routes(parts))
        self.box = Mailbox()
        self.parent = f"sites/{SITE}"

    def channel(self, subject: str, role: str = "supervisor") -> Any:
        """A channel of somebody of the staff."""
        return self.running.channel(self.running.token(subject, sites={SITE: [role]}), locale="en")

    def campaigns(self, subject: str = "ann", role: str = "supervisor") -> Any:
        """The campaigns as somebody of the staff sees them."""
        return CampaignServiceStub(self.channel(subject, role))

    async def people(self, customers: Sequence[str], *, purpose: str = "MARKETING", **file: Any) -> None:
        """Customers with an e-mail address who agreed to be written to."""
        async with self.database.transaction() as tx:
            for one in customers:
                made = File(display_name=f"客户{one}", email=f"{one}@example.com", **file)
                identities = [Identity(SOURCE, f"buyer-{one}")]
                await self.parts.customers.create(tx, SITE, one, made, identities, actor="import")
                await consents.put(tx, SITE, one, Consent(purpose, "EMAIL", True, "shop", "import", tx.now))

    async def withdraw(self, customer: str, purpose: str = "MARKETING") -> None:
        """Somebody changes their mind."""
        async with self.database.transaction() as tx:
            await consents.put(tx, SITE, customer, Consent(purpose, "EMAIL", False, "phone", "ann", tx.now))

    async def buys(self, customer: str, order: str, at: datetime, **changed: str) -> None:
        """A purchase of 100 yuan, or its return, told of now."""
        await self.record([line(customer, order, at, **changed)])

    async def record(self, lines: Sequence[Line]) -> None:
        """Purchases and returns, told of now."""
        async with self.database.transaction() as tx:
            done = await self.parts.orders.record(tx, SITE, SOURCE, Lines.of(lines), actor="shop")
            assert not done.refused

    async def draft(self, **changed: Any) -> api.Campaign:
        """A campaign for everybody."""
        given: dict[str, Any] = {
            "kind": "KIND_OFFER",
            "purpose": "PURPOSE_MARKETING",
            "title": "新茶上市",
            "subject": "{name}，新茶来了",
            "body": "{name}，凭此邮件享八折。",
            "channels": ["EMAIL"],
            "segment": {"all": []},
            "window_days": 14,
            **changed,
        }
        request = api.CreateCampaignRequest(parent=self.parent, campaign=ParseDict(given, api.Campaign()))
        made: api.Campaign = await self.campaigns().CreateCampaign(request)
        return made

    async def start(self, campaign: api.Campaign) -> None:
        """Approve and schedule it for now, and let its timers do their work."""
        await self.campaigns("bob").ApproveCampaign(api.ApproveCampaignRequest(name=campaign.name))
        await self.campaigns().ScheduleCampaign(api.ScheduleCampaignRequest(name=campaign.name))
        await self.settle()

    async def send(self) -> None:
        """Let the courier send what may go now."""
        due = "SELECT EXISTS (SELECT FROM kefu_letters WHERE state = 'PENDING' AND next_try_at <= kefu_now())"
        while await self.database.fetchval(due):
            await self.courier.send_due()

    async def settle(self) -> None:
        """Fire what is due."""
        while await self.dispatcher.fire_due():
            pass

    async def at(self, moment: datetime) -> None:
        """Move the stack's time, stopping at every deadline on the way, and send what may go at each."""
        await self.send()
        while (due := await self.dispatcher.next_due()) is not None and due <= moment:
            await self._move(due)
            await self.settle()
            await self.send()
        await self._move(moment)

    async def asleep(self, moment: datetime) -> None:
        """Nobody works until `moment`: what fell due before is done then."""
        await self._move(moment)
        await self.settle()
        await self.send()

    async def days(self, number: float) -> None:
        """Let days go by."""
        await self.at(self.database.clock.now() + timedelta(days=number))

    async def get(self, campaign: api.Campaign) -> api.Campaign:
        """The campaign now."""
        found: api.Campaign = await self.campaigns().GetCampaign(api.GetCampaignRequest(name=campaign.name))
        return found

    async def result(self, campaign: api.Campaign) -> api.CampaignResult:
        """What it did."""
        request = api.GetCampaignResultRequest(name=campaign.name)
        found: api.CampaignResult = await self.campaigns().GetCampaignResult(request)
        return found

    async def _move(self, moment: datetime) -> None:
        assert self.database.virtual is not None
        await self.database.execute("UPDATE kefu_virtual_clock SET at = greatest(at, $1)", moment)
        self.database.virtual.move(moment)


def line(customer: str, order: str, at: datetime, *, kind: str = "SALE", refund_of: str = "") -> Line:
    """An order of one line over 100 yuan, or its return."""
    return Line(order, "1", kind, f"buyer-{customer}", at, 1, 10_000, "CNY", "tea", refund_of)


def messages(result: api.CampaignResult) -> dict[tuple[str, str], int]:
    """Messages by state and reason."""
    return {(one.key, one.reason): one.count for one in result.messages}


@asynccontextmanager
async def open_shop(databases: Databases, profiles: SiteProfiles, folder: Path) -> AsyncIterator[Shop]:
    """A new shop with a database of its own at `START`."""
    url = (await databases.clone("crm", virtual=START))["crm"]
    database = Database(url, "crm")
    await database.open()
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    parts = parts_of(database, profiles, folder)
    senders = Senders(OutboundConfig(smtp=f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    queue = Letters(database, parts.sending.vault, parts.sending)
    courier = Courier(queue, senders.send, parts.metrics.letter, waits=())
    registered = servicers(database, parts, unmask=UNMASK, holders=Holders({}))
    async with serve(registered, keys_folder=folder, access=Access.read(ACCESS)) as running:
        shop = Shop(database, parts, running, courier)
        shop.box = box
        yield shop
    await senders.close()
    server.close()
    await database.close()
