"""The only place of intake that constructs things."""

from __future__ import annotations

import asyncio
import random
import secrets

from kefu.common.v1 import subject_service_pb2_grpc
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
from services.kit.relay import Relay
from services.kit.settle import Settler
from services.kit.subjects import SubjectServicer
from services.kit.timers import Dispatcher
from services.policy.process import Beside, Ground, Hearing, Process

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


async def build(config: IntakeConfig, feed: Feed | None = None) -> Process:
    """Construct the service, on a feed that the caller looks at as well.

    Raises Unavailable, ProfileRefusedError, KeySetError, CryptoError or AccessError.
    """
    # Ids are names, not secrets: what they name is guarded by permission, so a seeded generator does.
    new_id = Ids(random_bits=random.Random(secrets.randbits(256)).getrandbits)  # noqa: S311
    ground = await Ground.of(SERVICE, config, new_id=new_id)
    database, profiles, server = ground.database, ground.profiles, ground.server
    measured = IntakeMetrics(ground.metrics, ground.tools.tracer)
    rules = RulesOf(lambda: profiles.current)
    converter = Converter(Vault(Keys.read(config.sealing_keys)))
    commands = Commands(
        database,
        rules,
        observe=measured.decided,
        person_name=converter.person_name,
        bot_patience_s=config.bot_patience_seconds,
    )
    feed = feed or Feed(config.nats)
    work = Figures(ground.metrics, database)
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
    settler = Settler(relay, config.nats, consumers=names)
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
        consumers=ground.consumers(listens, settler, alone=PEOPLE),
        metrics=measured,
        others=[work.keep, *([search.Indexer(database).run] if config.search else [])],
    )
    conversations = ConversationServicer(
        commands, database=database, rules=rules, converter=converter, feed=feed, simulation=config.simulation
    )
    server.add(conversation_service_pb2_grpc.add_ConversationServiceServicer_to_server, conversations)
    sites = SiteServicer(database, rules, converter, feed)
    server.add(site_service_pb2_grpc.add_SiteServiceServicer_to_server, sites)
    subjects = SubjectServicer(database, subject.sections(converter), subject.next_file(database))
    server.add(subject_service_pb2_grpc.add_SubjectServiceServicer_to_server, subjects)

    async def stand() -> None:
        while True:
            now = database.clock.now()
            measured.promises(rules.at(site, now).profile for site in rules.in_force(now))
            ground.of_profiles.stand(profiles.status, now)
            await asyncio.sleep(STANDING_SECONDS)

    beside: dict[str, Beside] = {"standing": stand, "feed": feed.run}
    return ground.process(worker, settler, beside=beside, closing=[commands.close])
