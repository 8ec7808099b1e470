"""The only place of crm that constructs things."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import protovalidate
from kefu.common.v1 import clock_service_pb2_grpc
from kefu.crm.v1 import (
    campaign_service_pb2_grpc,
    care_service_pb2_grpc,
    customer_service_pb2_grpc,
    order_service_pb2_grpc,
    points_service_pb2_grpc,
    privacy_service_pb2_grpc,
    survey_service_pb2_grpc,
    tier_service_pb2_grpc,
    win_back_service_pb2_grpc,
)
from prometheus_client import CollectorRegistry

from services.crm.commands import campaigns, commitments, neighbours
from services.crm.commands.campaign_timers import CampaignTimers
from services.crm.commands.commitments import Commitments
from services.crm.commands.contact_tasks import ContactTasks
from services.crm.commands.coupons import Coupons
from services.crm.commands.customers import Customers
from services.crm.commands.ledger import Ledger
from services.crm.commands.neighbours import Neighbours
from services.crm.commands.orders import Orders
from services.crm.commands.privacy import Privacy
from services.crm.commands.relations import Relations
from services.crm.commands.sending import Sending
from services.crm.commands.surveys import Surveys
from services.crm.commands.tiers import Tiers
from services.crm.commands.unmask import Unmasking
from services.crm.commands.win_backs import WinBacks
from services.crm.config import CrmConfig
from services.crm.metrics import CrmMetrics
from services.crm.profiles import SiteProfiles
from services.crm.queries.customers import CustomerQueries
from services.crm.servicer.campaigns import CampaignServicer
from services.crm.servicer.care import CareServicer
from services.crm.servicer.customers import CustomerServicer
from services.crm.servicer.desk import Desk
from services.crm.servicer.orders import OrderServicer
from services.crm.servicer.points import PointsServicer
from services.crm.servicer.privacy import PrivacyServicer
from services.crm.servicer.surveys import SurveyServicer
from services.crm.servicer.tiers import TierServicer
from services.crm.servicer.win_backs import WinBackServicer
from services.crm.store.audience import Audience
from services.crm.store.customers import CustomerStore
from services.crm.store.identities import IdentityStore
from services.crm.store.words import WordStore
from services.crm.worker import CONSUMERS, Jobs, Worker
from services.kit import erasure, figures, schedules
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.health import Check
from services.kit.inbox import Consumer, Handler
from services.kit.interceptors.steps import Tools
from services.kit.keys import KeySet
from services.kit.migrate import migrations_of, pending
from services.kit.outbound.courier import Courier
from services.kit.outbound.letters import Letters
from services.kit.outbound.senders import Senders
from services.kit.relay import Relay
from services.kit.schedules import Scheduler
from services.kit.server import Server
from services.kit.settle import Settler
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.trace import Tracer
from services.kit.timers import ClockServicer, Dispatcher, Fire, VirtualTime
from services.policy import metrics as profile_metrics
from services.policy.calls import Calls
from services.policy.metrics import ProfileMetrics
from services.policy.versions import Profiles, Status

SERVICE = "crm"
OWNERS = ("rpc", "process", figures.OWNER, profile_metrics.OWNER, SERVICE)
MIGRATIONS = Path(__file__).parent / "migrations"


class App:
    """One process of crm: it answers, works in the background, or both."""

    def __init__(
        self, *, database: Database, server: Server, profiles: Profiles, worker: Worker, settler: Settler
    ) -> None:
        self.server = server
        self.database = database
        self._profiles = profiles
        self._worker = worker
        self._settler = settler
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *, work: bool = False) -> None:
        """Open the ports, and begin the background work if asked to."""
        self._tasks.append(asyncio.create_task(self._profiles.watch(), name="profiles"))
        if self.database.virtual is not None:
            await self._stack.enter_async_context(self._settler)
        if work:
            self._tasks.append(asyncio.create_task(self._worker.run(), name="worker"))
        await self.server.start()

    async def run_until_signal(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop."""
        await self.server.run_until_signal()
        await self.stop()

    async def stop(self, *, drain_seconds: float | None = None) -> None:
        """End without a failed call."""
        await self.server.stop(drain_seconds=drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        await self.database.close()


class Parts:
    """Stores and commands of one database: what the service, the import and the tests are made of."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        profiles: SiteProfiles,
        metrics: CrmMetrics,
        *,
        absent: Collection[str] = (),
    ) -> None:
        new_id = database.new_id
        self.profiles = profiles
        self.metrics = metrics
        self.files = CustomerStore(vault)
        self.identities = IdentityStore(vault, new_id)
        self.queries = CustomerQueries(self.files, self.identities)
        self.tiers = Tiers(profiles, metrics.moved)
        self.ledger = Ledger(profiles, new_id)
        self.orders = Orders(self.identities, profiles, self.ledger, self.tiers)
        self.customers = Customers(self.files, self.identities, profiles, self.tiers, new_id)
        self.coupons = Coupons(new_id)
        self.words = WordStore(vault)
        self.privacy = Privacy(self.queries, self.words, new_id, absent=absent)
        self.promises = Commitments(self.words, new_id)
        self.win_backs = WinBacks(profiles, self.ledger, self.coupons, self.words, vault, new_id)
        self.relations = Relations(database, self.win_backs, new_id)
        self.sending = Sending(Audience(self.files, self.identities), profiles, vault, new_id)
        self.surveys = Surveys(self.sending, self.words, new_id)


def servicers(
    database: Database, parts: Parts, *, unmask: timedelta
) -> list[tuple[Callable[[Any, Any], None], object]]:
    """Every service of crm with the function that adds it to a server."""
    desk = Desk(database, parts.profiles)
    customers = CustomerServicer(desk, parts.customers, parts.queries, Unmasking(unmask, database.new_id))
    orders = OrderServicer(desk, parts.orders, parts.metrics)
    points = PointsServicer(desk, parts.ledger, parts.coupons)
    return [
        (
            campaign_service_pb2_grpc.add_CampaignServiceServicer_to_server,
            CampaignServicer(desk, parts.sending, database.new_id),
        ),
        (
            care_service_pb2_grpc.add_CareServiceServicer_to_server,
            CareServicer(desk, parts.promises, ContactTasks(parts.words), parts.words),
        ),
        (customer_service_pb2_grpc.add_CustomerServiceServicer_to_server, customers),
        (order_service_pb2_grpc.add_OrderServiceServicer_to_server, orders),
        (points_service_pb2_grpc.add_PointsServiceServicer_to_server, points),
        (privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server, PrivacyServicer(desk, parts.privacy)),
        (survey_service_pb2_grpc.add_SurveyServiceServicer_to_server, SurveyServicer(desk, parts.surveys)),
        (tier_service_pb2_grpc.add_TierServiceServicer_to_server, TierServicer(desk)),
        (
            win_back_service_pb2_grpc.add_WinBackServiceServicer_to_server,
            WinBackServicer(desk, parts.win_backs, parts.words),
        ),
    ]


def routes(parts: Parts) -> dict[str, Fire]:
    """Who handles which deadlines."""
    return {
        campaigns.OWNER_KIND: CampaignTimers(parts.sending).fire,
        commitments.OWNER_KIND: parts.promises.fire,
    }


async def build(config: CrmConfig) -> App:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    metrics = Metrics.from_catalogue(CollectorRegistry(), owners=OWNERS)
    of_profiles, measured = ProfileMetrics(metrics), CrmMetrics(metrics)
    database = Database(config.database, SERVICE, size=config.connections)

    def changed(status: Status) -> None:
        of_profiles.changed(status)
        of_profiles.stand(status, database.clock.now())

    profiles = Profiles(config.profiles, on_change=changed)
    await database.open()
    of_profiles.stand(profiles.status, database.clock.now())
    tools = Tools(
        verifier=TokenVerifier(KeySet(config.public_keys), Access.read(config.access)),
        tracer=Tracer.from_environment(os.environ, SERVICE),
        validator=protovalidate.Validator(),
        callers=Calls.read().callers_of(SERVICE) if config.server.tls_client_ca is not None else None,
    )
    server = Server(config.server, service=SERVICE, tools=tools, metrics=metrics, checks=checks(database))
    vault = Vault(Keys.read(config.sealing_keys))
    parts = Parts(database, vault, SiteProfiles(lambda: profiles.current), measured, absent=config.absent)
    for add, servicer in servicers(database, parts, unmask=timedelta(seconds=config.unmask_seconds)):
        server.add(add, servicer)
    figured = Figures(metrics, database)
    relay = Relay(database, config.nats, consumers=CONSUMERS, absent=config.absent, progress=figured.consumers)
    settler = Settler(relay, config.nats, consumers=[name for name, _, _ in listens(parts)])
    worker = make_worker(config, database, parts, relay=relay, settler=settler, figured=figured, tools=tools)
    time = VirtualTime(database, worker.dispatcher, settle=settler.settle)
    server.add(clock_service_pb2_grpc.add_ClockServiceServicer_to_server, ClockServicer(time))
    return App(database=database, server=server, profiles=profiles, worker=worker, settler=settler)


def listens(parts: Parts) -> list[tuple[str, Sequence[str], Handler]]:
    """What crm hears of: consumer, subjects, handler."""
    return [
        (neighbours.CONSUMER, neighbours.SUBJECTS, Neighbours(parts.profiles).handle),
        (erasure.consumer_of(SERVICE), erasure.SUBJECTS, parts.privacy.hear),
    ]


def make_worker(
    config: CrmConfig,
    database: Database,
    parts: Parts,
    *,
    relay: Relay,
    settler: Settler,
    figured: Figures,
    tools: Tools,
) -> Worker:
    """The background work: jobs, and what neighbours tell."""
    jobs = Jobs(database, parts.ledger, parts.tiers, parts.relations, parts.surveys, parts.profiles)
    scheduler = Scheduler([*schedules.housekeeping(), *jobs.schedules])
    senders = Senders(config.outbound)
    return Worker(
        database=database,
        figures=figured,
        relay=relay,
        scheduler=scheduler,
        dispatcher=Dispatcher(database, {schedules.OWNER_KIND: scheduler.fire, **routes(parts)}, fired=figured.fired),
        courier=Courier(Letters(database, parts.sending.vault, parts.sending), senders.send, parts.metrics.letter),
        consumers=[
            Consumer(
                database,
                config.nats,
                name=name,
                subjects=subjects,
                handler=handler,
                afterwards=settler.relay if database.virtual else None,
                tracer=tools.tracer,
            )
            for name, subjects, handler in listens(parts)
        ],
        metrics=parts.metrics,
        liability_seconds=config.liability_seconds,
    )


def checks(database: Database) -> Mapping[str, Check]:
    """What readiness depends on: the database, and its schema being at least as new as this code."""

    async def schema() -> None:
        async with database.transaction(read_only=True) as tx:
            if missing := await pending(tx.connection, migrations_of(SERVICE, MIGRATIONS)):
                raise RuntimeError(f"migrations are missing: {', '.join(missing)}; run `kefu migrate {SERVICE}`")

    return {"database": schema}
