"""Streams of what happens: to one conversation, and at a whole site."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message as Pb
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.events.v1.event_pb2 import Event
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from services.intake.convert import Converter, message
from services.intake.domain.conversation import Conversation, Message
from services.intake.queries import conversations
from services.intake.queries.feed import Feed, Item
from services.intake.queries.scope import Scope
from services.intake.servicer.names import CONVERSATION, SITE
from services.kit.call import current
from services.kit.db import Database
from services.kit.errors import InvalidArgument

HEARTBEAT_SECONDS: Final = 15.0
MESSAGES_A_READ: Final = 200
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
# A cursor has room for so many ends of ids; with more messages in one microsecond the first ones would be shown again.
END: Final = 6
MOST_ENDS: Final = 5
# What was there before is no longer kept: read everything anew and go on from this cursor.
GAP: Final = "gap"
_KINDS: Final = frozenset(field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields)

Context = Any


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a watcher of a conversation has come: the version shown, the last message's time, and the ends of the ids
    of the messages of that very instant."""

    version: int = 0
    until: datetime = EPOCH
    seen: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor. Raises InvalidArgument."""
        if not text:
            return cls()
        try:
            version, microseconds, seen = text.split(".")
            ends = tuple(seen[at : at + END] for at in range(0, len(seen), END))
            return cls(int(version), EPOCH + int(microseconds) * MICROSECOND, ends)
        except (ValueError, OverflowError) as error:
            raise InvalidArgument.field("cursor", "is not a cursor of this stream") from error

    def __str__(self) -> str:
        return f"{self.version}.{(self.until - EPOCH) // MICROSECOND}.{''.join(self.seen)}"

    def past(self, shown: Message) -> Cursor:
        """Return the cursor after a message."""
        same = self.seen if shown.created_at == self.until else ()
        return Cursor(self.version, shown.created_at, (*same, shown.id[-END:])[-MOST_ENDS:])

    def at(self, shown: Conversation) -> Cursor:
        """Return the cursor after the conversation was shown."""
        return Cursor(shown.version, self.until, self.seen)


class WatchConversationRpcs:
    """The part of kefu.intake.v1.ConversationService that streams."""

    def __init__(
        self, database: Database, feed: Feed, converter: Converter, *, heartbeat: float = HEARTBEAT_SECONDS
    ) -> None:
        self._database = database
        self._feed = feed
        self._converter = converter
        self._heartbeat = heartbeat

    async def WatchConversation(
        self, request: api.WatchConversationRequest, context: Context
    ) -> AsyncIterator[api.WatchConversationResponse]:
        """Messages and changes of one conversation from the cursor on.

        Events only wake the stream; what it shows is read from the tables, so that nothing is missed or out of order.
        """
        site, id_ = CONVERSATION.parse(request.name)
        scope, cursor = Scope.of(current().principal), Cursor.parse(request.cursor)
        with self._feed.woken_by(request.name) as wake:
            while True:
                wake.clear()
                changed, added = await self._read_since(scope, site, id_, cursor)
                for one in added:
                    cursor = cursor.past(one)
                    yield api.WatchConversationResponse(cursor=str(cursor), message=message(one))
                if len(added) == MESSAGES_A_READ:
                    continue
                if changed.version > cursor.version:
                    cursor = cursor.at(changed)
                    shown = self._converter.conversation(changed)
                    yield api.WatchConversationResponse(cursor=str(cursor), conversation=shown)
                if not await _woken(wake, self._heartbeat):
                    yield api.WatchConversationResponse(cursor=str(cursor))

    async def _read_since(
        self, scope: Scope, site: str, id_: str, cursor: Cursor
    ) -> tuple[Conversation, list[Message]]:
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            changed = await conversations.get(tx, scope, site, id_)
            added = await conversations.messages_since(
                tx, scope, site, id_, since=cursor.until, seen=cursor.seen, limit=MESSAGES_A_READ
            )
        return changed, added


class WatchSiteRpcs:
    """The part of kefu.intake.v1.SiteService that streams."""

    def __init__(self, feed: Feed, *, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self._feed = feed
        self._heartbeat = heartbeat

    async def WatchSite(
        self, request: site_api.WatchSiteRequest, context: Context
    ) -> AsyncIterator[site_api.WatchSiteResponse]:
        """Everything that happens at a site, without anybody's words.

        A cursor older than the stream's memory gives a response of kind "gap" first. A reader that falls too far
        behind is told RESOURCE_EXHAUSTED and comes back with its cursor.
        """
        (site,) = SITE.parse(request.parent, "parent")
        after, kinds = _sequence(request.cursor), _kinds(request)
        await self._feed.ready()
        async with contextlib.aclosing(self._feed.watch(site, after, kinds, heartbeat=self._heartbeat)) as items:
            async for item in items:
                yield _happened(item)


def details_of(fact: Pb) -> dict[str, str]:
    """Return a fact's fields as text by name, without those that hold personal data."""
    return {
        name: _text(getattr(fact, name)) for name, maybe in _shown(fact.DESCRIPTOR) if not maybe or fact.HasField(name)
    }


@cache
def _shown(kind: Descriptor) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a fact that may be told, each with whether it may be absent."""
    return tuple(
        (field.name, field.message_type is not None) for field in kind.fields if not field.GetOptions().debug_redact
    )


def _happened(item: Item) -> site_api.WatchSiteResponse:
    event = item.event
    if event is None:
        return site_api.WatchSiteResponse(cursor=str(item.sequence), kind=GAP if item.gap else "")
    kind = event.WhichOneof("fact") or ""
    reply = site_api.WatchSiteResponse(cursor=str(item.sequence), kind=kind, time=event.occurred_at)
    if event.aggregate.split("/")[-2:-1] == ["conversations"]:
        reply.conversation = event.aggregate
    if kind:
        reply.details.update(details_of(getattr(event, kind)))
    return reply


def _text(value: Any) -> str:
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    return ",".join(map(str, value))


def _sequence(cursor: str) -> int | None:
    if not cursor:
        return None
    if not cursor.isdecimal() or len(cursor) > 18:
        raise InvalidArgument.field("cursor", "is not a cursor of this stream")
    return int(cursor)


def _kinds(request: site_api.WatchSiteRequest) -> frozenset[str]:
    for place, kind in enumerate(request.kinds):
        if kind not in _KINDS:
            raise InvalidArgument.field(f"kinds[{place}]", f"is none of {', '.join(sorted(_KINDS))}")
    return frozenset(request.kinds)


async def _woken(wake: asyncio.Event, within: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await wake.wait()
            return True
    return False
