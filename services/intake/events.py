"""Entries of a history as published facts: ids, times and states, never a person's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.events.v1 import event_pb2

from services.intake.domain.conversation import Conversation
from services.intake.domain.history import Assigned, Clocked, Entry, Moved, Rated, Said
from services.kit.outbox import Row

SOURCE: Final = "intake"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def row(conversation: Conversation, entry: Entry, new_id: Callable[[], str]) -> Row | None:
    """Return the outbox row of an entry; None for what nobody else has to hear of."""
    fact = _FACTS.get(type(entry.detail))
    if fact is None:
        return None
    id_, name = new_id(), conversation.name
    event = event_pb2.Event(
        id=id_,
        source=SOURCE,
        site=conversation.site,
        aggregate=name,
        version=entry.version,
        occurred_at=timestamp(entry.at),
        profile_version=entry.profile_version,
        actor=entry.actor,
        **fact(entry.detail, conversation, entry),
    )
    return Row(id_, f"kefu.{SOURCE}.{conversation.site}.conversations", name, entry.version, event.SerializeToString())


def surge_changed(site: str, *, active: bool, online: int, at: datetime, version: int) -> event_pb2.Event:
    """Return the event of a site that entered or left surge mode."""
    return event_pb2.Event(
        site=site,
        aggregate=f"sites/{site}",
        version=version,
        actor="router",
        occurred_at=timestamp(at),
        surge_changed=event_pb2.SurgeChanged(active=active, customers_online=online),
    )


def timestamp(at: datetime) -> Timestamp:
    """Return an instant as protobuf writes it."""
    since = at - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def _moved(detail: Moved, _: Conversation, __: Entry) -> dict[str, Any]:
    return {
        "conversation_moved": event_pb2.ConversationMoved(
            from_state=detail.from_state,
            to_state=detail.to_state,
            transition=detail.transition,
            queue=detail.queue,
            channel=detail.channel,
        )
    }


def _said(detail: Said, conversation: Conversation, _: Entry) -> dict[str, Any]:
    return {
        "message_added": event_pb2.MessageAdded(
            message=f"{conversation.name}/messages/{detail.message}",
            author_kind=detail.author_kind,
            internal=detail.internal,
        )
    }


def _assigned(detail: Assigned, _: Conversation, __: Entry) -> dict[str, Any]:
    return {
        "assignment_changed": event_pb2.AssignmentChanged(
            from_person=detail.from_person,
            to_person=detail.to_person,
            cause=detail.cause,
            accountable=detail.accountable,
        )
    }


def _clocked(detail: Clocked, _: Conversation, __: Entry) -> dict[str, Any]:
    change = detail.change
    clock = change.clock
    return {
        "clock_changed": event_pb2.ClockChanged(
            clock=clock.kind,
            change=change.what,
            due_at=timestamp(clock.due_at),
            target_seconds=clock.target_s,
            elapsed_seconds=change.elapsed_s,
            fraction=change.fraction,
            queue=clock.queue,
            person=detail.person,
        )
    }


def _rated(detail: Rated, _: Conversation, __: Entry) -> dict[str, Any]:
    return {"conversation_rated": event_pb2.ConversationRated(score=detail.score, person=detail.person)}


_FACTS: Final[Mapping[type[Any], Callable[[Any, Conversation, Entry], dict[str, Any]]]] = {
    Moved: _moved,
    Said: _said,
    Assigned: _assigned,
    Clocked: _clocked,
    Rated: _rated,
}
