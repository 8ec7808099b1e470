"""A data subject asks: what is known of me, correct it, forget me. Two people, one saga, a search for what is left."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import nats
import pytest
import pytest_asyncio
from kefu.crm.v1 import customer_pb2
from kefu.crm.v1 import customer_service_pb2 as customer_api
from kefu.crm.v1 import order_service_pb2 as order_api
from kefu.crm.v1 import privacy_service_pb2 as api
from kefu.crm.v1.customer_service_pb2_grpc import CustomerServiceStub
from kefu.crm.v1.order_service_pb2_grpc import OrderServiceStub
from kefu.crm.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from kefu.intake.v1 import conversation_pb2, conversation_service_pb2
from kefu.intake.v1.conversation_service_pb2_grpc import ConversationServiceStub

from services.crm.app import build
from services.crm.config import CrmConfig
from services.gateway.config import GatewayConfig
from services.gateway.metrics import GatewayMetrics
from services.gateway.worker import Worker
from services.intake.app import build as build_intake
from services.intake.config import IntakeConfig
from services.kit import bus
from services.kit.client import ClientChannel, Target
from services.kit.config import load
from services.kit.crypto import Keys
from services.kit.db import Database
from services.kit.errors import FailedPrecondition, NotFound, PermissionDenied
from services.kit.figures import Figures
from services.kit.telemetry.trace import Tracer
from services.kit.testing.grpc import TestKeys
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases
from services.qa.app import build as build_qa
from services.qa.config import QaConfig
from tests.integration.crm.conftest import PROFILES, SITE
from tests.integration.crm.test_orders import line

PARENT = f"sites/{SITE}"
SECONDS = 60


@dataclass
class Company:
    """crm, intake and the gateway's worker, as they run beside each other."""

    crm: str
    intake: str
    keys: TestKeys
    urls: dict[str, str]
    nats: str

    def channel(self, address: str, subject: str = "boss") -> ClientChannel:
        token = self.keys.token(subject)
        return ClientChannel(Target(f"ipv4:{address}"), token=lambda: token)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(
    databases: Databases, nats_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    keys = TestKeys(folder)
    Keys.create(folder / "sealing.json", "test")
    urls = await databases.clone("crm", "gateway", "intake", "qa")

    def settings(service: str) -> dict[str, str]:
        return {
            "KEFU_DATABASE_URL": urls[service],
            "KEFU_NATS_URL": nats_url,
            "KEFU_PUBLIC_KEYS": str(folder / "public"),
            "KEFU_PROFILES": str(PROFILES),
            "KEFU_SEALING_KEYS": str(folder / "sealing.json"),
        }

    intake = await build_intake(load(IntakeConfig, settings("intake")))
    of_qa = {"KEFU_QA_OBJECTS": (folder / "objects").as_uri(), "KEFU_QA_SCRATCH": str(folder / "scratch")}
    qa = await build_qa(load(QaConfig, settings("qa") | of_qa))
    await intake.start(work=True)
    await qa.start(work=True)
    targets = f"intake=127.0.0.1:{intake.server.port},qa=127.0.0.1:{qa.server.port}"
    crm = await build(load(CrmConfig, settings("crm") | {"KEFU_TARGETS": targets}))
    of_gateway = {
        "KEFU_GATEWAY_SECRET": secrets.token_hex(32),
        "KEFU_SIGNING_KEYS": str(folder),
        "KEFU_PUBLIC_URL": "https://k",
    }
    config = load(GatewayConfig, settings("gateway") | of_gateway)
    gateway = Database(urls["gateway"], "gateway")
    await gateway.open()
    measured = GatewayMetrics()
    figures = Figures(measured.catalogue, gateway)
    worker = asyncio.create_task(Worker(config, gateway, measured, figures, Tracer()).run())
    await crm.start(work=True)
    try:
        yield Company(f"127.0.0.1:{crm.server.port}", f"127.0.0.1:{intake.server.port}", keys, urls, nats_url)
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        await crm.stop(drain_seconds=0)
        await intake.stop(drain_seconds=0)
        await qa.stop(drain_seconds=0)
        await gateway.close()


@pytest.mark.timeout(180)
@pytest.mark.clause("MALL-7.3.3", "TAOBAO-4-2.2.3")
async def test_a_customer_is_forgotten_everywhere_with_proof(company: Company) -> None:
    words = {what: f"金丝雀{what}{secrets.token_hex(6)}" for what in ("name", "address", "tb", "wx", "note", "said")}
    phone = f"139{secrets.randbelow(10**8):08d}"
    async with company.channel(company.crm) as boss, company.channel(company.crm, "lead") as lead:
        customers: Any = CustomerServiceStub(boss)
        names = []
        for channel in ("tb", "wx"):
            customer = customer_pb2.Customer(display_name=words["name"], phone=phone, address=words["address"])
            identity = customer_pb2.Identity(channel=channel.upper(), external_id=words[channel])
            made = await customers.CreateCustomer(
                customer_api.CreateCustomerRequest(parent=PARENT, customer=customer, identities=[identity])
            )
            names.append(made.name)
        await customers.MergeCustomer(customer_api.MergeCustomerRequest(name=names[0], into=names[1]))
        await talk(company, names[0], words)
        asked = await opened(boss, names[1], api.DataRequest.KIND_ERASURE)
        desk: Any = PrivacyServiceStub(boss)
        with pytest.raises(FailedPrecondition, match="NOTE_MISSING"):
            await desk.VerifyDataRequest(api.VerifyDataRequestRequest(name=asked.name))
        await desk.VerifyDataRequest(api.VerifyDataRequestRequest(name=asked.name, note=words["note"]))
        with pytest.raises(PermissionDenied, match="SECOND_PERSON"):
            await desk.FulfilDataRequest(api.FulfilDataRequestRequest(name=asked.name))
        assert await found_in(company, [*words.values(), phone]) >= {"intake.messages", "crm.data_requests"}
        other: Any = PrivacyServiceStub(lead)
        begun = await other.FulfilDataRequest(api.FulfilDataRequestRequest(name=asked.name))
        assert begun.state == api.DataRequest.STATE_FULFILLING
        done = await fulfilled(desk, asked.name)
        proofs = {proof.service: dict(proof.erased) for proof in done.proofs}
        assert sorted(proofs) == ["crm", "gateway", "intake", "qa"]
        assert proofs["crm"]["customers"] == proofs["crm"]["identities"] == 2
        assert proofs["intake"]["messages"] >= 1
        erased = await customers.GetCustomer(customer_api.GetCustomerRequest(name=names[1]))
        assert (erased.state, erased.display_name, erased.phone) == (customer_pb2.Customer.STATE_ERASED, "", "")
        with pytest.raises(NotFound):
            await customers.LookUpCustomer(
                customer_api.LookUpCustomerRequest(parent=PARENT, channel="TB", external_id=words["tb"])
            )
    assert await found_in(company, [*words.values(), phone]) == set()


async def test_an_export_has_everything_and_only_once_it_was_granted(company: Company) -> None:
    async with company.channel(company.crm) as boss, company.channel(company.crm, "lead") as lead:
        orders: Any = OrderServiceStub(boss)
        lines = [line("e1", "exporter", 3000, product_name="茶杯"), line("e2", "exporter", 20)]
        await orders.RecordOrders(order_api.RecordOrdersRequest(parent=PARENT, source="SHOP", lines=lines))
        customers: Any = CustomerServiceStub(boss)
        request = customer_api.LookUpCustomerRequest(parent=PARENT, channel="SHOP", external_id="exporter")
        name = (await customers.LookUpCustomer(request)).name
        asked = await opened(boss, name, api.DataRequest.KIND_EXPORT)
        desk: Any = PrivacyServiceStub(boss)
        fetch = api.FetchDataExportRequest(name=asked.name)
        with pytest.raises(FailedPrecondition):
            await desk.FetchDataExport(fetch)
        await desk.VerifyDataRequest(api.VerifyDataRequestRequest(name=asked.name, note="by telephone"))
        other: Any = PrivacyServiceStub(lead)
        await other.FulfilDataRequest(api.FulfilDataRequestRequest(name=asked.name))
        found = json.loads((await desk.FetchDataExport(fetch)).content)
    assert found["files"][0]["identities"] == [{"channel": "SHOP", "id": "exporter"}]
    assert [one["order_id"] for one in found["orders"]] == ["e1", "e2"]
    assert found["order_lines"][0]["product"] == "茶杯"
    assert sum(one["issued"] for one in found["point_lots"]) == 3020
    listed = await listing(company)
    assert asked.name in [one.name for one in listed.data_requests]


async def test_a_request_may_be_refused_with_a_reason(company: Company) -> None:
    async with company.channel(company.crm) as boss:
        customers: Any = CustomerServiceStub(boss)
        made = await customers.CreateCustomer(
            customer_api.CreateCustomerRequest(parent=PARENT, customer=customer_pb2.Customer(display_name="李雷"))
        )
        asked = await opened(boss, made.name, api.DataRequest.KIND_CORRECTION)
        desk: Any = PrivacyServiceStub(boss)
        with pytest.raises(FailedPrecondition, match="REASON_MISSING"):
            await desk.RefuseDataRequest(api.RefuseDataRequestRequest(name=asked.name))
        refused = await desk.RefuseDataRequest(api.RefuseDataRequestRequest(name=asked.name, reason="not the customer"))
        assert refused.state == api.DataRequest.STATE_REFUSED


async def listing(company: Company) -> api.ListDataRequestsResponse:
    async with company.channel(company.crm) as boss:
        desk: Any = PrivacyServiceStub(boss)
        found: api.ListDataRequestsResponse = await desk.ListDataRequests(api.ListDataRequestsRequest(parent=PARENT))
        return found


async def opened(channel: ClientChannel, customer: str, kind: api.DataRequest.Kind.ValueType) -> api.DataRequest:
    desk: Any = PrivacyServiceStub(channel)
    asked: api.DataRequest = await desk.CreateDataRequest(
        api.CreateDataRequestRequest(parent=PARENT, customer=customer, kind=kind)
    )
    return asked


async def talk(company: Company, customer: str, words: dict[str, str]) -> None:
    """A conversation in intake under the customer's id."""
    async with company.channel(company.intake) as channel:
        stub: Any = ConversationServiceStub(channel)
        talk = conversation_pb2.Conversation(
            channel=conversation_pb2.CHANNEL_WEB,
            customer=customer.rpartition("/")[2],
            customer_name=words["name"],
            queue="PRESALES",
        )
        await stub.CreateConversation(
            conversation_service_pb2.CreateConversationRequest(
                parent=PARENT, conversation=talk, first_message=words["said"]
            )
        )


async def fulfilled(desk: Any, name: str) -> api.DataRequest:
    """The request once every service has answered."""
    found = api.DataRequest()

    async def done() -> bool:
        found.CopyFrom(await desk.GetDataRequest(api.GetDataRequestRequest(name=name)))
        assert set(found.waiting_for) <= {"crm", "gateway", "intake", "qa"}
        return found.state == api.DataRequest.STATE_FULFILLED

    await eventually(done, SECONDS)
    return found


async def found_in(company: Company, words: list[str]) -> set[str]:
    """In which tables of all three services, or messages of the stream, any of the words is."""
    shapes = [*words, *(word.encode().hex() for word in words)]
    found = set()
    for service, url in company.urls.items():
        database = Database(url, service)
        await database.open(hints=False)
        for (table,) in await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", service):
            rows = await database.fetch(f'SELECT t::text FROM "{table}" t')
            if any(shape in row[0] for row in rows for shape in shapes):
                found.add(f"{service}.{table}")
        await database.close()
    link = await nats.connect(company.nats)
    stream = link.jetstream()
    for number in range(1, (await stream.stream_info(bus.STREAM)).state.last_seq + 1):
        with suppress(nats.js.errors.NotFoundError):
            message = await stream.get_msg(bus.STREAM, number)
            if any(word.encode() in (message.data or b"") for word in words):
                found.add(message.subject or "stream")
    await link.close()
    return found
