"""Follow-ups over the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.intake.commands import follow_ups
from services.intake.domain.follow_up import FollowUp
from services.intake.events import timestamp
from services.intake.queries import conversations
from services.intake.queries.scope import Scope
from services.intake.servicer.names import CONVERSATION, FOLLOW_UP, instant, position
from services.intake.store import follow_ups as store
from services.kit import pages
from services.kit.access import Kind
from services.kit.call import current
from services.kit.db import Database, Transaction
from services.kit.errors import PermissionDenied
from services.kit.uow import UnitOfWork

EVERY = "/conversations/-"
MOST = 200

Context = Any


class FollowUpRpcs:
    """The part of kefu.intake.v1.ConversationService that plans to come back to customers."""

    def __init__(self, database: Database, uow: UnitOfWork) -> None:
        self._database = database
        self._uow = uow

    async def CreateFollowUp(self, request: api.CreateFollowUpRequest, context: Context) -> pb.FollowUp:
        """Plan to come back to the customer; by default the accountable owner does."""
        site, conversation = CONVERSATION.parse(request.parent, "parent")
        wanted, principal = request.follow_up, current().principal
        due_at = instant(wanted, "due_time", "follow_up.due_time")
        miss_at = instant(wanted, "miss_time", "follow_up.miss_time")
        assert due_at is not None  # the contract requires it

        async def run(tx: Transaction) -> FollowUp:
            about = await conversations.get(tx, Scope.of(principal), site, conversation)
            caller = principal.subject if principal.kind is Kind.PERSON else ""
            return await follow_ups.create(
                tx,
                id_=self._database.new_id(),
                site=site,
                conversation=conversation,
                due_at=due_at,
                miss_at=miss_at,
                person=wanted.person or about.accountable_owner or caller,
                note=wanted.note,
                actor=principal.subject,
            )

        return await self._write_follow_up(site, run)

    async def ListFollowUps(self, request: api.ListFollowUpsRequest, context: Context) -> api.ListFollowUpsResponse:
        """Follow-ups of a conversation, or of the whole site, by due time; customers see no notes."""
        everywhere = request.parent.endswith(EVERY)
        parent = request.parent.removesuffix("-") + "all" if everywhere else request.parent
        site, conversation = CONVERSATION.parse(parent, "parent")
        scope = Scope.of(current().principal)
        if everywhere and scope.customer is not None:
            raise PermissionDenied
        size, after = pages.page_size(request.page_size, most=MOST), position(request)
        states = [pb.FollowUp.State.Name(state).removeprefix("STATE_") for state in request.states]
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            if not everywhere:
                await conversations.get(tx, scope, site, conversation)
            found = await store.page(
                tx, site, "" if everywhere else conversation, states=states, after=after, limit=size + 1
            )
        shown = found[:size]
        return api.ListFollowUpsResponse(
            follow_ups=[_shown(one, words=scope.sees_notes) for one in shown],
            next_page_token=pages.encode(request, [shown[-1].due_at, shown[-1].id]) if len(found) > size else "",
        )

    async def CompleteFollowUp(self, request: api.CompleteFollowUpRequest, context: Context) -> pb.FollowUp:
        """Mark it done, with what came of it."""
        return await self._move_follow_up(request.name, "complete", request.outcome)

    async def CancelFollowUp(self, request: api.CancelFollowUpRequest, context: Context) -> pb.FollowUp:
        """Mark it no longer needed."""
        return await self._move_follow_up(request.name, "cancel")

    async def _move_follow_up(self, name: str, transition: str, outcome: str = "") -> pb.FollowUp:
        site, conversation, id_ = FOLLOW_UP.parse(name)
        actor = current().principal.subject
        return await self._write_follow_up(
            site,
            lambda tx: follow_ups.move(
                tx,
                site=site,
                conversation=conversation,
                id_=id_,
                transition=transition,
                actor=actor,
                outcome=outcome,
            ),
        )

    async def _write_follow_up(self, site: str, run: Callable[[Transaction], Awaitable[FollowUp]]) -> pb.FollowUp:
        """Run a command once per request id. The stored reply has no words: those live in the row alone."""
        kept = await self._uow.run(
            current(), run, lambda made: _shown(made, words=False).SerializeToString(), sites=[site]
        )
        reply = pb.FollowUp.FromString(kept)
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            today = await follow_ups.read(tx, *FOLLOW_UP.parse(reply.name))
        reply.note, reply.outcome = today.note, today.outcome
        return reply


def _shown(of: FollowUp, *, words: bool) -> pb.FollowUp:
    return pb.FollowUp(
        name=of.name,
        state=pb.FollowUp.State.Value(f"STATE_{of.state}"),
        due_time=timestamp(of.due_at),
        miss_time=timestamp(of.miss_at),
        person=of.person,
        note=of.note if words else "",
        outcome=of.outcome if words else "",
    )
