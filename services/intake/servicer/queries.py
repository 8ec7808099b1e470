"""Reading conversations over the wire."""

from __future__ import annotations

from typing import Any

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.intake.commands.rules import RulesOf
from services.intake.convert import Converter, message, state_value
from services.intake.domain.history import Entry
from services.intake.domain.values import State
from services.intake.events import timestamp
from services.intake.queries import conversations
from services.intake.queries.conversations import Filters
from services.intake.queries.scope import Scope
from services.intake.servicer.names import CONVERSATION, SITE, instant, position
from services.kit import pages
from services.kit.call import current
from services.kit.db import Database

CONVERSATIONS_MOST = 200
MESSAGES_USUAL, MESSAGES_MOST = 100, 500

Context = Any


class QueryRpcs:
    """The part of kefu.intake.v1.ConversationService that reads conversations."""

    def __init__(self, database: Database, rules: RulesOf, converter: Converter) -> None:
        self._database = database
        self._rules = rules
        self._converter = converter

    async def GetConversation(self, request: api.GetConversationRequest, context: Context) -> pb.Conversation:
        """One conversation with its clocks and, while it waits, its place in the queue."""
        site, id_ = CONVERSATION.parse(request.name)
        async with self._database.reading(sites=[site]) as tx:
            found = await conversations.get(tx, Scope.of(current().principal), site, id_)
            rules = self._rules.at(site, tx.now)
            place = await conversations.queue_position(tx, found, rules.profile)
        reply = self._converter.conversation(found)
        reply.queue_position = place
        return reply

    async def ListConversations(
        self, request: api.ListConversationsRequest, context: Context
    ) -> api.ListConversationsResponse:
        """Conversations of a site, newest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = pages.page_size(request.page_size, most=CONVERSATIONS_MOST)
        filters = Filters(
            states=[pb.Conversation.State.Name(state).removeprefix("STATE_") for state in request.states],
            queue=request.queue,
            assignee=request.assignee,
            customer=request.customer,
            text=request.query,
            created_from=instant(request, "create_time_from"),
            created_to=instant(request, "create_time_to"),
        )
        after = position(request)
        # A rare word is looked up in the index, a common one met soon among the newest: no one plan is right for both.
        async with self._database.reading(sites=[site], plan_each=bool(filters.text)) as tx:
            scope = Scope.of(current().principal)
            found = await conversations.page(tx, scope, site, filters, after=after, limit=size + 1)
        shown = found[:size]
        more = len(found) > size
        return api.ListConversationsResponse(
            conversations=[self._converter.conversation(one) for one in shown],
            next_page_token=pages.encode(request, [shown[-1].created_at, shown[-1].id]) if more else "",
        )

    async def ListMessages(self, request: api.ListMessagesRequest, context: Context) -> api.ListMessagesResponse:
        """Messages of a conversation, oldest first; customers see no notes."""
        site, id_ = CONVERSATION.parse(request.parent, "parent")
        size = pages.page_size(request.page_size, default=MESSAGES_USUAL, most=MESSAGES_MOST)
        after = position(request)
        scope = Scope.of(current().principal)
        async with self._database.reading(sites=[site]) as tx:
            found = await conversations.messages(tx, scope, site, id_, after=after, limit=size + 1)
            if not found:  # nothing said, nothing left to say, or no such conversation
                await conversations.get(tx, scope, site, id_)
        shown = found[:size]
        more = len(found) > size
        return api.ListMessagesResponse(
            messages=[message(one) for one in shown],
            next_page_token=pages.encode(request, [shown[-1].created_at, shown[-1].id]) if more else "",
        )

    async def ListHistory(self, request: api.ListHistoryRequest, context: Context) -> api.ListHistoryResponse:
        """History of a conversation, oldest first."""
        site, id_ = CONVERSATION.parse(request.parent, "parent")
        size = pages.page_size(request.page_size, default=MESSAGES_USUAL, most=MESSAGES_MOST)
        after = int((pages.decode(request) or [0])[0])
        async with self._database.reading(sites=[site]) as tx:
            await conversations.get(tx, Scope.of(current().principal), site, id_)
            found = await conversations.history(tx, site, id_, after=after, limit=size + 1)
        shown = found[:size]
        return api.ListHistoryResponse(
            entries=[_entry(one) for one in shown],
            next_page_token=pages.encode(request, [shown[-1].version]) if len(found) > size else "",
        )


def _entry(entry: Entry) -> api.HistoryEntry:
    return api.HistoryEntry(
        version=entry.version,
        time=timestamp(entry.at),
        actor=entry.actor,
        what=entry.what,
        state=_state(entry.state),
        assignee=entry.assignee,
        queue=entry.queue,
        profile_version=entry.profile_version,
    )


def _state(state: State) -> pb.Conversation.State.ValueType:
    return pb.Conversation.State.ValueType(state_value(state))
