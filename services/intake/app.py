"""The only place of intake that constructs things."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable

from kefu.common.v1 import clock_service_pb2_grpc, subject_service_pb2_grpc
from kefu.intake.v1 import conversation_service_pb2_grpc, site_service_pb2_grpc

from services.intake.commands import follow_ups
from services.intake.commands.erasure import erase
from services.intake.commands.group import Commands
from services.intake.commands.people import PEOPLE, PEOPLE_SUBJECTS, TIERS, TIERS_SUBJECTS, People
from services.intake.commands.routing import Router
from services.intake.commands.rules import RulesOf
from services.intake.commands.timers import Ticker
from services.intake.commands.work import CONVERSATION, SITE
from services.intake.config import IntakeConfig
from services.intake.convert import Converter
from services.intake.metrics import IntakeMetrics
from services.intake.queries import search, subject
from services.intake.queries.feed import Feed
from services.intake.servicer.conversations import ConversationServicer
from services.intake.servicer.site import SiteRpcs
from services.intake.servicer.watch import WatchSiteRpcs
from services.intake.worker import Worker
from services.kit import erasure
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.figures import Figures
from services.kit.ids import Ids
from services.kit.inbox import Consumer
from services.kit.relay import Relay
from services.kit.server import Server
from services.kit.settle import Settler
from services.kit.subjects import SubjectServicer
from services.kit.timers import ClockServicer, Dispatcher, VirtualTime
from services.policy.metrics import ProfileMetrics
from services.policy.process import Hearing, checks_of, metrics_of, tools_of
from services.policy.versions import Profiles

SERVICE = "intake"
# How soon a version that begins or is reloaded shows in the metrics.
STANDING_SECONDS = 2.0
# Durable consumers that must have had an event before the outbox forgets it.
CONSUMERS = ("crm-conversations", "crm-erasure", "qa-conversations", "qa-metrics")
# Durable consumers of earlier releases.
RETIRED = ("intake-search",)


class SiteServicer(SiteRpcs, WatchSiteRpcs, site_service_pb2_grpc.SiteServiceServicer):
    """kefu.intake.v1.SiteService, put together from its parts."""

    def __init__(self, database: Database, rules: RulesOf, converter: Converter, feed: Feed) -> None:
        SiteRpcs.__init__(self, database, rules, converter)
        WatchSiteRpcs.__init__(self, feed)


class App:
    """One process of intake: its server, and its worker when asked for."""

    def __init__(
        self,
        *,
        database: Database,
        server: Server,
        profiles: Profiles,
        commands: Commands,
        feed: Feed,
        worker: Worker,
        settler: Settler | None,
        expose: Callable[[], None],
    ) -> None:
        self.server = server
        self.database = database
        self.worker = worker
        self.commands = commands
        self._profiles = profiles
        self._feed = feed
        self._settler = settler
        self._expose = expose
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *, work: bool = False) -> None:
        """Open the ports, and begin the background work if asked to."""
        self._begin("profiles", self._profiles.watch())
        self._begin("standing", self._standing())
        if self._settler is not None:
            await self._stack.enter_async_context(self._settler)
        if work:
            self._begin("worker", self.worker.run())
        self._begin("feed", self._feed.run())
        await self.server.start()

    async def run_until_signal(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop."""
        await self.server.run_until_signal()
        await self.stop()

    async def stop(self, *, drain_seconds: float | None = None) -> None:
        """End without a failed call."""
        await self.server.stop(drain_seconds=drain_seconds)
        await self.commands.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        await self.database.close()

    async def _standing(self) -> None:
        while True:
            self._expose()
            await asyncio.sleep(STANDING_SECONDS)

    def _begin(self, name: str, work: object) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))  # type: ignore[arg-type]


async def build(config: IntakeConfig) -> App:
    """Construct the service. Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError."""
    metrics = metrics_of(SERVICE)
    tools = tools_of(SERVICE, config)
    measured = IntakeMetrics(metrics, tools.tracer)
    of_profiles = ProfileMetrics(metrics)
    profiles = Profiles(config.profiles, on_change=of_profiles.changed)
    # Ids are names, not secrets: what they name is guarded by permission, so a seeded generator does.
    new_id = Ids(random_bits=random.Random(secrets.randbits(256)).getrandbits)  # noqa: S311
    database = Database(config.database, SERVICE, size=config.connections, new_id=new_id)
    await database.open()
    rules = RulesOf(lambda: profiles.current)
    converter = Converter(Vault(Keys.read(config.sealing_keys)))
    commands = Commands(
        database,
        rules,
        observe=measured.decided,
        person_name=converter.person_name,
        bot_patience_s=config.bot_patience_seconds,
    )
    feed = Feed(config.nats)
    work = Figures(metrics, database)
    relay = Relay(
        database,
        config.nats,
        consumers=CONSUMERS,
        retired=RETIRED,
        absent=config.absent,
        progress=work.consumers,
    )
    people = People(database, rules, converter, observe=measured.decided)
    listens: tuple[Hearing, ...] = (
        (PEOPLE, PEOPLE_SUBJECTS, people.handle),
        (TIERS, TIERS_SUBJECTS, people.handle),
        (erasure.consumer_of(SERVICE), erasure.REQUESTS, erasure.Handler(erase)),
    )
    names = [name for name, _, _ in listens]
    settler = Settler(relay, config.nats, consumers=names) if database.virtual else None
    worker = Worker(
        database=database,
        relay=relay,
        dispatcher=Dispatcher(
            database,
            {
                CONVERSATION: Ticker(database, rules, observe=measured.decided).fire,
                SITE: Router(database, rules, observe=measured.decided).fire,
                follow_ups.OWNER_KIND: follow_ups.fire,
            },
            fired=work.fired,
        ),
        consumers=[
            Consumer(
                database,
                config.nats,
                name=name,
                subjects=subjects,
                handler=handler,
                afterwards=settler.relay if settler else None,
                tracer=tools.tracer,
                alone=name == PEOPLE,
            )
            for name, subjects, handler in listens
        ],
        metrics=measured,
        others=[work.keep, *([search.Indexer(database).run] if config.search else [])],
    )
    server = Server(config.server, service=SERVICE, tools=tools, metrics=metrics, checks=checks_of(SERVICE, database))
    conversations = ConversationServicer(
        commands, database=database, rules=rules, converter=converter, feed=feed, simulation=config.simulation
    )
    server.add(conversation_service_pb2_grpc.add_ConversationServiceServicer_to_server, conversations)
    sites = SiteServicer(database, rules, converter, feed)
    server.add(site_service_pb2_grpc.add_SiteServiceServicer_to_server, sites)
    subjects = SubjectServicer(database, subject.sections(converter), subject.next_file(database))
    server.add(subject_service_pb2_grpc.add_SubjectServiceServicer_to_server, subjects)
    if settler is not None:
        time = VirtualTime(database, worker.dispatcher, settle=settler.settle)
        server.add(clock_service_pb2_grpc.add_ClockServiceServicer_to_server, ClockServicer(time))

    def expose() -> None:
        now = database.clock.now()
        measured.promises(rules.at(site, now).profile for site in rules.in_force(now))
        of_profiles.stand(profiles.status, now)

    return App(
        database=database,
        server=server,
        profiles=profiles,
        commands=commands,
        feed=feed,
        worker=worker,
        settler=settler,
        expose=expose,
    )
