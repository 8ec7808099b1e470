"""kefu.intake.v1.ConversationService, put together from its parts."""

from __future__ import annotations

from services.intake.commands.group import Commands
from services.intake.commands.rules import RulesOf
from services.intake.convert import Converter
from services.intake.queries.feed import Feed
from services.intake.servicer.attachments import AttachmentRpcs
from services.intake.servicer.follow_ups import FollowUpRpcs
from services.intake.servicer.queries import QueryRpcs
from services.intake.servicer.watch import WatchConversationRpcs
from services.intake.servicer.writes import ConversationWrites
from services.kit.db import Database
from services.kit.uow import UnitOfWork


class ConversationServicer(QueryRpcs, AttachmentRpcs, FollowUpRpcs, WatchConversationRpcs, ConversationWrites):
    """Commands and queries of one contract; each part keeps what it needs."""

    def __init__(
        self,
        commands: Commands,
        *,
        database: Database,
        rules: RulesOf,
        converter: Converter,
        feed: Feed,
        simulation: bool,
    ) -> None:
        uow = UnitOfWork(database)
        ConversationWrites.__init__(self, commands, converter, simulation=simulation)
        QueryRpcs.__init__(self, database, rules, converter)
        AttachmentRpcs.__init__(self, database, uow)
        FollowUpRpcs.__init__(self, database, uow)
        WatchConversationRpcs.__init__(self, database, feed, converter)
