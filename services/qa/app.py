"""The only place of qa that constructs things."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from kefu.common.v1 import subject_service_pb2_grpc
from kefu.intake.v1 import conversation_service_pb2_grpc
from kefu.qa.v1 import draw_service_pb2_grpc, recording_service_pb2_grpc

from services.kit import erasure, schedules
from services.kit.client import ClientChannel
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.relay import Relay
from services.kit.schedules import Scheduler
from services.kit.settle import Settler
from services.kit.subjects import SubjectServicer
from services.kit.timers import Dispatcher
from services.policy.desk import Desk, SiteProfiles
from services.policy.process import Ground, Hearing, Process
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
from services.qa.queries import subject
from services.qa.servicer.draws import DrawServicer
from services.qa.servicer.recordings import RecordingServicer
from services.qa.store import deletions
from services.qa.store.frames import Frames
from services.qa.store.objects import Objects
from services.qa.worker import CONSUMERS, Jobs, Worker

SERVICE = "qa"


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
        self.recordings = Recordings(profiles, metrics, database.new_id, content_within=content_within)
        self.neighbours = Neighbours(self.recordings)
        self.judging = Judging(database, vault, profiles, metrics)
        self.replacements = Replacements(frames, self.judging.reviews.withdraw)


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


async def build(config: QaConfig) -> Process:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    ground = await Ground.of(SERVICE, config)
    database, measured = ground.database, QaMetrics(ground.metrics)
    within = timedelta(seconds=config.content_seconds)
    at_intake = config.calls.target("intake", ["kefu.intake.v1.ConversationService"])
    intake = ClientChannel(at_intake, tracer=ground.tools.tracer)
    parts = Parts(
        database,
        Vault(Keys.read(config.sealing_keys)),
        SiteProfiles(lambda: ground.profiles.current),
        measured,
        objects=Objects(config.objects),
        scratch=config.scratch,
        words=conversation_service_pb2_grpc.ConversationServiceStub(intake),
        content_within=within,
    )
    for add, servicer in servicers(database, parts):
        ground.server.add(add, servicer)
    subjects = SubjectServicer(database, subject.sections, subject.next_file(database, parts.contents.read))
    ground.server.add(subject_service_pb2_grpc.add_SubjectServiceServicer_to_server, subjects)
    figured = Figures(ground.metrics, database)
    relay = Relay(database, config.nats, consumers=CONSUMERS, absent=config.absent, progress=figured.consumers)
    settler = Settler(relay, config.nats, consumers=[name for name, _, _ in listens(parts)])
    worker = make_worker(ground, parts, relay=relay, settler=settler, figured=figured)
    return ground.process(worker, settler, closing=[intake.close])


def listens(parts: Parts) -> list[Hearing]:
    """What qa hears of: consumer, subjects, handler."""
    return [
        (neighbours.CONVERSATIONS, neighbours.CONVERSATIONS_SUBJECTS, parts.neighbours.conversation),
        (neighbours.PEOPLE, neighbours.PEOPLE_SUBJECTS, parts.neighbours.person),
        *parts.judging.listens(),
        (erasure.consumer_of(SERVICE), erasure.REQUESTS, erasure.Handler(deletions.erase)),
    ]


def make_worker(
    ground: Ground,
    parts: Parts,
    *,
    relay: Relay,
    settler: Settler,
    figured: Figures,
) -> Worker:
    """The background work: jobs, and what neighbours tell."""
    database = ground.database
    jobs = Jobs(database, parts.draws, parts.judging.reviews, parts.retention, parts.profiles)
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
        consumers=ground.consumers(listens(parts), settler),
        metrics=parts.metrics,
        profiles=parts.profiles,
    )
