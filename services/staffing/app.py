"""The only place of staffing that constructs things."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import protovalidate
from kefu.common.v1 import clock_service_pb2_grpc, errors_pb2
from kefu.staffing.v1 import planning_service_pb2_grpc, staffing_service_pb2_grpc
from prometheus_client import CollectorRegistry

from services.kit import figures
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.errors import NotFound
from services.kit.figures import Figures
from services.kit.health import Check
from services.kit.interceptors.steps import Tools
from services.kit.keys import KeySet
from services.kit.migrate import migrations_of, pending
from services.kit.server import Server
from services.kit.settle import Settler
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.trace import Tracer
from services.kit.timers import ClockServicer, VirtualTime
from services.kit.uow import UnitOfWork
from services.policy import metrics as profile_metrics
from services.policy.calls import Calls
from services.policy.metrics import ProfileMetrics
from services.policy.versions import Profiles, SiteUnknownError, Status
from services.staffing.config import StaffingConfig
from services.staffing.metrics import StaffingMetrics
from services.staffing.queries import Zones
from services.staffing.servicer import StaffingServicer
from services.staffing.servicer_planning import PlanningServicer
from services.staffing.store import Store
from services.staffing.worker import Worker

SERVICE = "staffing"
OWNERS = ("rpc", "process", figures.OWNER, profile_metrics.OWNER, SERVICE)
MIGRATIONS = Path(__file__).parent / "migrations"


class App:
    """One process of staffing: it answers, works in the background, or both."""

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


async def build(config: StaffingConfig) -> App:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    metrics = Metrics.from_catalogue(CollectorRegistry(), owners=OWNERS)
    of_profiles = ProfileMetrics(metrics)
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
    worker = Worker(database, config.nats, Figures(metrics, database), absent=config.absent)
    settler = Settler(worker.relay, config.nats)
    time = VirtualTime(database, worker.dispatcher, settle=settler.settle)
    servicer = StaffingServicer(
        database=database,
        uow=UnitOfWork(database),
        store=Store(Vault(Keys.read(config.sealing_keys))),
        zones=zones(profiles, database),
        metrics=StaffingMetrics(metrics),
    )
    server.add(staffing_service_pb2_grpc.add_StaffingServiceServicer_to_server, servicer)
    planning = PlanningServicer(zones(profiles, database))
    server.add(planning_service_pb2_grpc.add_PlanningServiceServicer_to_server, planning)
    server.add(clock_service_pb2_grpc.add_ClockServiceServicer_to_server, ClockServicer(time))
    return App(database=database, server=server, profiles=profiles, worker=worker, settler=settler)


def checks(database: Database) -> Mapping[str, Check]:
    """What readiness depends on: the database, and its schema being at least as new as this code."""

    async def schema() -> None:
        async with database.transaction(read_only=True) as tx:
            if missing := await pending(tx.connection, migrations_of(SERVICE, MIGRATIONS)):
                raise RuntimeError(f"migrations are missing: {', '.join(missing)}; run `kefu migrate {SERVICE}`")

    return {"database": schema}


def zones(profiles: Profiles, database: Database) -> Zones:
    """The time zone of a site by the profile in force."""

    def zone(site: str) -> ZoneInfo:
        try:
            return profiles.current.at(site, database.clock.now()).timezone
        except SiteUnknownError as unknown:
            raise NotFound(errors_pb2.ERROR_REASON_SITE_UNKNOWN, {"site": site}) from unknown

    return zone
