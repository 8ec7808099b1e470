"""The only place of crm that constructs things."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from kefu.common.v1.subject_service_pb2_grpc import SubjectServiceStub
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

from services.crm.commands import campaigns, commitments, holders, neighbours
from services.crm.commands.campaign_timers import CampaignTimers
from services.crm.commands.commitments import Commitments
from services.crm.commands.contact_tasks import ContactTasks
from services.crm.commands.coupons import Coupons
from services.crm.commands.customers import Customers
from services.crm.commands.holders import Holders
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
from services.kit import erasure, schedules
from services.kit.client import ClientChannel
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.outbound.courier import Courier
from services.kit.outbound.letters import Letters
from services.kit.outbound.senders import Senders
from services.kit.relay import Relay
from services.kit.schedules import Scheduler
from services.kit.settle import Settler
from services.kit.timers import Dispatcher, Fire
from services.policy.process import Ground, Hearing, Process

SERVICE = "crm"


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
    database: Database, parts: Parts, *, unmask: timedelta, holders: Holders
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
        (privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server, PrivacyServicer(desk, parts.privacy, holders)),
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


async def build(config: CrmConfig) -> Process:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    ground = await Ground.of(SERVICE, config)
    database, measured = ground.database, CrmMetrics(ground.metrics)
    vault = Vault(Keys.read(config.sealing_keys))
    parts = Parts(database, vault, SiteProfiles(lambda: ground.profiles.current), measured, absent=config.absent)
    neighbours_of = {
        name: ClientChannel(config.calls.target(name, [holders.CONTRACT]), tracer=ground.tools.tracer)
        for name in holders.HOLDERS
        if name not in config.absent
    }
    known = Holders({name: SubjectServiceStub(channel) for name, channel in neighbours_of.items()})
    for add, servicer in servicers(database, parts, unmask=timedelta(seconds=config.unmask_seconds), holders=known):
        ground.server.add(add, servicer)
    figured = Figures(ground.metrics, database)
    relay = Relay(database, config.nats, consumers=CONSUMERS, absent=config.absent, progress=figured.consumers)
    settler = Settler(relay, config.nats, consumers=[name for name, _, _ in listens(parts)])
    worker = make_worker(config, ground, parts, relay=relay, settler=settler, figured=figured)
    closing = [channel.close for channel in neighbours_of.values()]
    return ground.process(worker, settler, closing=closing)


def listens(parts: Parts) -> list[Hearing]:
    """What crm hears of: consumer, subjects, handler."""
    return [
        (neighbours.CONSUMER, neighbours.SUBJECTS, Neighbours(parts.profiles).handle),
        (erasure.consumer_of(SERVICE), erasure.SUBJECTS, parts.privacy.hear),
    ]


def make_worker(
    config: CrmConfig,
    ground: Ground,
    parts: Parts,
    *,
    relay: Relay,
    settler: Settler,
    figured: Figures,
) -> Worker:
    """The background work: jobs, and what neighbours tell."""
    database = ground.database
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
        consumers=ground.consumers(listens(parts), settler),
        metrics=parts.metrics,
        liability_seconds=config.liability_seconds,
    )
