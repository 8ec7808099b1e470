"""The only place of staffing that constructs things."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from kefu.staffing.v1 import planning_service_pb2_grpc, roster_service_pb2_grpc, staffing_service_pb2_grpc

from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.settle import Settler
from services.kit.uow import UnitOfWork
from services.policy.desk import Desk, SiteProfiles
from services.policy.process import Ground, Process
from services.staffing.config import StaffingConfig
from services.staffing.metrics import StaffingMetrics
from services.staffing.queries import Zones
from services.staffing.servicer.people import StaffingServicer
from services.staffing.servicer.planning import PlanningServicer
from services.staffing.servicer.rosters import RosterServicer
from services.staffing.solver import Solver
from services.staffing.store.people import Store
from services.staffing.worker import Worker

SERVICE = "staffing"


async def build(config: StaffingConfig) -> Process:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    ground = await Ground.of(SERVICE, config)
    database, server = ground.database, ground.server
    worker = Worker(database, config.nats, Figures(ground.metrics, database), absent=config.absent)
    settler = Settler(worker.relay, config.nats)
    profiles = SiteProfiles(lambda: ground.profiles.current)
    store = Store(Vault(Keys.read(config.sealing_keys)))
    servicer = StaffingServicer(
        database=database,
        uow=UnitOfWork(database),
        store=store,
        zones=zones(profiles, database),
        metrics=StaffingMetrics(ground.metrics),
    )
    server.add(staffing_service_pb2_grpc.add_StaffingServiceServicer_to_server, servicer)
    planning = PlanningServicer(zones(profiles, database))
    server.add(planning_service_pb2_grpc.add_PlanningServiceServicer_to_server, planning)
    rosters = RosterServicer(Desk(database, profiles), database, store)
    server.add(roster_service_pb2_grpc.add_RosterServiceServicer_to_server, rosters)
    return ground.process(worker, settler)


async def build_solver(config: StaffingConfig) -> Process:
    """Construct the process that works on roster runs. Raises as `build`."""
    ground = await Ground.of(SERVICE, config)
    relay = Worker(ground.database, config.nats, Figures(ground.metrics, ground.database), absent=config.absent).relay
    solver = Solver(ground.database, workers=config.solver_workers)
    return ground.process(solver, Settler(relay, config.nats))


def zones(profiles: SiteProfiles, database: Database) -> Zones:
    """The time zone of a site by the profile in force."""

    def zone(site: str) -> ZoneInfo:
        return profiles.at(site, database.clock.now()).timezone

    return zone
