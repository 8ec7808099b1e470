"""The built service: it answers, works, and hears what intake tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.common.v1.clock_service_pb2 import AdvanceClockRequest
from kefu.common.v1.clock_service_pb2_grpc import ClockServiceStub
from kefu.crm.v1 import customer_pb2
from kefu.crm.v1 import customer_service_pb2 as api
from kefu.crm.v1 import points_service_pb2 as points
from kefu.crm.v1.customer_service_pb2_grpc import CustomerServiceStub
from kefu.crm.v1.points_service_pb2_grpc import PointsServiceStub
from kefu.events.v1.event_pb2 import ConversationMoved, Event

from services.crm.app import build
from services.crm.config import CrmConfig
from services.kit.client import ClientChannel, Target
from services.kit.config import load
from services.kit.crypto import Keys
from services.kit.db import Database
from services.kit.testing.grpc import TestKeys
from services.kit.testing.postgres import Databases
from tests.integration.crm.conftest import PROFILES, SITE

START = datetime(2026, 11, 2, 1, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(
    databases: Databases, nats_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[ClientChannel, Database]]:
    """A channel to a crm with its worker, in virtual time, and its database."""
    folder = tmp_path_factory.mktemp("crm")
    keys = TestKeys(folder)
    Keys.create(folder / "sealing.json", "test")
    urls = await databases.clone("crm", virtual=START)
    settings = {
        "KEFU_DATABASE_URL": urls["crm"],
        "KEFU_NATS_URL": nats_url,
        "KEFU_PUBLIC_KEYS": str(folder / "public"),
        "KEFU_PROFILES": str(PROFILES),
        "KEFU_SEALING_KEYS": str(folder / "sealing.json"),
    }
    app = await build(load(CrmConfig, settings))
    await app.start(work=True)
    try:
        async with ClientChannel(Target(f"ipv4:127.0.0.1:{app.server.port}"), token=keys.token) as opened:
            yield opened, app.database
    finally:
        await app.stop(drain_seconds=0)


async def advance(channel: ClientChannel, to: datetime) -> None:
    """Move the clock; returns once everything due and everything told is settled."""
    at = Timestamp()
    at.FromDatetime(to)
    stub: Any = ClockServiceStub(channel)
    await stub.AdvanceClock(AdvanceClockRequest(to=at), timeout=60)


async def test_what_intake_tells_is_on_the_timeline_and_time_does_its_work(
    running: tuple[ClientChannel, Database], nats_url: str
) -> None:
    channel, database = running
    customers: Any = CustomerServiceStub(channel)
    ledger: Any = PointsServiceStub(channel)
    made = await customers.CreateCustomer(
        api.CreateCustomerRequest(
            parent=f"sites/{SITE}", customer_id="fang", customer=customer_pb2.Customer(display_name="王芳")
        )
    )
    await ledger.GrantPoints(points.GrantPointsRequest(parent=made.name, points=5, cause="BIRTHDAY", reference="2026"))
    await tell(nats_url, "CLOSED", START + timedelta(minutes=20))
    await advance(channel, START + timedelta(hours=1))
    timeline = await customers.ListTimeline(api.ListTimelineRequest(parent=made.name))
    assert [(one.kind, one.detail) for one in timeline.entries] == [("CONVERSATION", "CLOSED")]
    await database.execute("UPDATE point_lots SET expires_at = $1", START + timedelta(hours=2))
    await database.execute("UPDATE customers SET verify_due_at = $1", START + timedelta(hours=2))
    await advance(channel, START + timedelta(hours=4))
    statement = await ledger.ListPointEntries(points.ListPointEntriesRequest(parent=made.name))
    assert [one.to_account for one in statement.entries] == ["EXPIRED", "ACTIVE"]
    stale = await customers.ListCustomers(api.ListCustomersRequest(parent=f"sites/{SITE}", stale=True))
    assert [one.name for one in stale.customers] == [made.name]


async def tell(nats_url: str, state: str, at: datetime) -> None:
    """Say what intake says when a conversation moves."""
    moved = ConversationMoved(from_state="SERVING", to_state=state, customer="fang")
    event = Event(
        id=f"e-{state}",
        source="intake",
        site=SITE,
        aggregate=f"sites/{SITE}/conversations/c1",
        conversation_moved=moved,
    )
    event.occurred_at.FromDatetime(at)
    link = await nats.connect(nats_url)
    try:
        await link.jetstream().publish(f"kefu.intake.{SITE}.conversations", event.SerializeToString())
    finally:
        await link.close()
