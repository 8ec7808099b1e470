"""The only place of staffing that constructs things."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from kefu.common.v1 import errors_pb2
from kefu.staffing.v1 import planning_service_pb2_grpc, staffing_service_pb2_grpc

from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.errors import NotFound
from services.kit.figures import Figures
from services.kit.settle import Settler
from services.kit.uow import UnitOfWork
from services.policy.process import Ground, Process
from services.policy.versions import Profiles, SiteUnknownError
from services.staffing.config import StaffingConfig
from services.staffing.metrics import StaffingMetrics
from services.staffing.queries import Zones
from services.staffing.servicer import StaffingServicer
from services.staffing.servicer_planning import PlanningServicer
from services.staffing.store import Store
from services.staffing.worker import Worker

SERVICE = "staffing"


async def build(config: StaffingConfig) -> Process:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    ground = await Ground.of(SERVICE, config)
    database, server = ground.database, ground.server
    worker = Worker(database, config.nats, Figures(ground.metrics, database), absent=config.absent)
    settler = Settler(worker.relay, config.nats)
    servicer = StaffingServicer(
        database=database,
        uow=UnitOfWork(database),
        store=Store(Vault(Keys.read(config.sealing_keys))),
        zones=zones(ground.profiles, database),
        metrics=StaffingMetrics(ground.metrics),
    )
    server.add(staffing_service_pb2_grpc.add_StaffingServiceServicer_to_server, servicer)
    planning = PlanningServicer(zones(ground.profiles, database))
    server.add(planning_service_pb2_grpc.add_PlanningServiceServicer_to_server, planning)
    return ground.process(worker, settler)


def zones(profiles: Profiles, database: Database) -> Zones:
    """The time zone of a site by the profile in force."""

    def zone(site: str) -> ZoneInfo:
        try:
            return profiles.current.at(site, database.clock.now()).timezone
        except SiteUnknownError as unknown:
            raise NotFound(errors_pb2.ERROR_REASON_SITE_UNKNOWN, {"site": site}) from unknown

    return zone
