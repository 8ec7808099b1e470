"""The only place of qa that constructs things."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import protovalidate
from kefu.common.v1 import clock_service_pb2_grpc
from kefu.intake.v1 import conversation_service_pb2_grpc
from kefu.qa.v1 import draw_service_pb2_grpc, recording_service_pb2_grpc
from prometheus_client import CollectorRegistry

from services.kit import erasure, figures, schedules
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.client import ClientChannel
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.health import Check
from services.kit.inbox import Consumer, Handler
from services.kit.interceptors.steps import Tools
from services.kit.keys import KeySet
from services.kit.migrate import migrations_of, pending
from services.kit.relay import Relay
from services.kit.schedules import Scheduler
from services.kit.server import Server
from services.kit.settle import Settler
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.trace import Tracer
from services.kit.timers import ClockServicer, Dispatcher, VirtualTime
from services.policy import metrics as profile_metrics
from services.policy.calls import Calls
from services.policy.desk import Desk, SiteProfiles
from services.policy.metrics import ProfileMetrics
from services.policy.versions import Profiles, Status
from services.qa.commands import neighbours
from services.qa.commands import recordings as commands
from services.qa.commands.contents import Contents
from services.qa.commands.draws import Draws
from services.qa.commands.neighbours import Neighbours
from services.qa.commands.playbacks import Playbacks
from services.qa.commands.recordings import Recordings
from services.qa.commands.replacements import Replacements
from services.qa.commands.retention import Retention
from services.qa.config import QaConfig
from services.qa.judging import Judging
from services.qa.metrics import QaMetrics
from services.qa.servicer.draws import DrawServicer
from services.qa.servicer.recordings import RecordingServicer
from services.qa.store import deletions
from services.qa.store.frames import Frames
from services.qa.store.objects import Objects
from services.qa.worker import CONSUMERS, Jobs, Worker

SERVICE = "qa"
OWNERS = ("rpc", "process", figures.OWNER, profile_metrics.OWNER, SERVICE)
MIGRATIONS = Path(__file__).parent / "migrations"


class App:
    """One process of qa: it answers, works in the background, or both."""

    def __init__(
        self,
        *,
        database: Database,
        server: Server,
        profiles: Profiles,
        worker: Worker,
        settler: Settler,
        intake: ClientChannel,
    ) -> None:
        self.server = server
        self.database = database
        self._profiles = profiles
        self._worker = worker
        self._settler = settler
        self._intake = intake
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
        await self._intake.close()
        await self.database.close()


class Parts:
    """Stores and commands of one database: what the service and the tests are made of."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        profiles: SiteProfiles,
        metrics: QaMetrics,
        *,
        objects: Objects,
        scratch: Path,
        words: Any,
        content_within: timedelta,
    ) -> None:
        self.profiles = profiles
        self.metrics = metrics
        frames = Frames(objects, scratch)
        self.contents = Contents(database, vault, objects, database.new_id)
        self.playbacks = Playbacks(database.new_id, words)
        self.retention = Retention(database, objects)
        self.draws = Draws(database, vault, frames, secrets.token_bytes)
        self.replacements = Replacements(frames)
        self.recordings = Recordings(profiles, metrics, database.new_id, content_within=content_within)
        self.neighbours = Neighbours(self.recordings)
        self.judging = Judging(database, vault, profiles, metrics)


def servicers(database: Database, parts: Parts) -> list[tuple[Callable[[Any, Any], None], object]]:
    """Every service of qa with the function that adds it to a server."""
    desk = Desk(database, parts.profiles)
    return [
        (
            recording_service_pb2_grpc.add_RecordingServiceServicer_to_server,
            RecordingServicer(desk, parts.recordings, parts.contents, parts.playbacks, parts.retention),
        ),
        (draw_service_pb2_grpc.add_DrawServiceServicer_to_server, DrawServicer(desk, parts.draws, parts.replacements)),
        *parts.judging.servicers(desk),
    ]


async def build(config: QaConfig) -> App:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    metrics = Metrics.from_catalogue(CollectorRegistry(), owners=OWNERS)
    of_profiles, measured = ProfileMetrics(metrics), QaMetrics(metrics)
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
    within = timedelta(seconds=config.content_seconds)
    intake = ClientChannel(config.intake, tracer=tools.tracer)
    parts = Parts(
        database,
        Vault(Keys.read(config.sealing_keys)),
        SiteProfiles(lambda: profiles.current),
        measured,
        objects=Objects(config.objects),
        scratch=config.scratch,
        words=conversation_service_pb2_grpc.ConversationServiceStub(intake),
        content_within=within,
    )
    for add, servicer in servicers(database, parts):
        server.add(add, servicer)
    figured = Figures(metrics, database)
    relay = Relay(database, config.nats, consumers=CONSUMERS, absent=config.absent, progress=figured.consumers)
    settler = Settler(relay, config.nats, consumers=[name for name, _, _ in listens(parts)])
    worker = make_worker(config, database, parts, relay=relay, settler=settler, figured=figured, tools=tools)
    time = VirtualTime(database, worker.dispatcher, settle=settler.settle)
    server.add(clock_service_pb2_grpc.add_ClockServiceServicer_to_server, ClockServicer(time))
    return App(database=database, server=server, profiles=profiles, worker=worker, settler=settler, intake=intake)


def listens(parts: Parts) -> list[tuple[str, Sequence[str], Handler]]:
    """What qa hears of: consumer, subjects, handler."""
    return [
        (neighbours.CONVERSATIONS, neighbours.CONVERSATIONS_SUBJECTS, parts.neighbours.conversation),
        (neighbours.PEOPLE, neighbours.PEOPLE_SUBJECTS, parts.neighbours.person),
        *parts.judging.listens(),
        (erasure.consumer_of(SERVICE), erasure.REQUESTS, erasure.Handler(deletions.erase)),
    ]


def make_worker(
    config: QaConfig,
    database: Database,
    parts: Parts,
    *,
    relay: Relay,
    settler: Settler,
    figured: Figures,
    tools: Tools,
) -> Worker:
    """The background work: jobs, and what neighbours tell."""
    jobs = Jobs(database, parts.draws, parts.retention, parts.profiles)
    scheduler = Scheduler([*schedules.housekeeping(), *jobs.schedules, *parts.judging.schedules])
    timers = {
        schedules.OWNER_KIND: scheduler.fire,
        commands.OWNER_KIND: parts.recordings.due,
        **parts.judging.timers,
    }
    return Worker(
        database=database,
        figures=figured,
        relay=relay,
        scheduler=scheduler,
        dispatcher=Dispatcher(database, timers, fired=figured.fired),
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
        profiles=parts.profiles,
    )


def checks(database: Database) -> Mapping[str, Check]:
    """What readiness depends on: the database, and its schema being at least as new as this code."""

    async def schema() -> None:
        async with database.transaction(read_only=True) as tx:
            if missing := await pending(tx.connection, migrations_of(SERVICE, MIGRATIONS)):
                raise RuntimeError(f"migrations are missing: {', '.join(missing)}; run `kefu migrate {SERVICE}`")

    return {"database": schema}
