"""Entries of a history as published facts: ids, times and states, never a person's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.events.v1 import event_pb2

from services.intake.domain.conversation import Conversation
from services.intake.domain.history import Assigned, Clocked, Entry, Moved, Rated, Said
from services.kit.outbox import Row

SOURCE: Final = "intake"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def rows(conversation: Conversation, entries: Iterable[Entry], new_id: Callable[[], str]) -> Iterator[Row]:
    """Yield the outbox rows of entries, without those of which nobody else has to hear."""
    name, subject = conversation.name, f"kefu.{SOURCE}.{conversation.site}.conversations"
    for entry in entries:
        fact = _FACTS.get(type(entry.detail))
        if fact is None:
            continue
        # Field by field: half the cost of keyword arguments and of building messages inside to be copied.
        event = event_pb2.Event()
        event.id = id_ = new_id()
        event.source, event.site, event.aggregate = SOURCE, conversation.site, name
        event.version, event.profile_version, event.actor = entry.version, entry.profile_version, entry.actor
        stamp(event.occurred_at, entry.at)
        fact(event, entry.detail, conversation)
        yield Row(id_, subject, name, entry.version, event.SerializeToString())


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
    stamped = Timestamp()
    stamp(stamped, at)
    return stamped


def stamp(field: Timestamp, at: datetime) -> None:
    """Write an instant into a field: half the cost of building a message and copying it there."""
    since = at - _EPOCH
    field.seconds, field.nanos = since.days * 86_400 + since.seconds, since.microseconds * 1_000


def _moved(event: event_pb2.Event, detail: Moved, conversation: Conversation) -> None:
    fact = event.conversation_moved
    fact.from_state, fact.to_state, fact.transition = detail.from_state, detail.to_state, detail.transition
    fact.queue, fact.channel = detail.queue, detail.channel
    fact.customer = conversation.customer


def _said(event: event_pb2.Event, detail: Said, _: Conversation) -> None:
    fact = event.message_added
    fact.message = f"{event.aggregate}/messages/{detail.message}"
    fact.author_kind, fact.internal = detail.author_kind, detail.internal


def _assigned(event: event_pb2.Event, detail: Assigned, _: Conversation) -> None:
    fact = event.assignment_changed
    fact.from_person, fact.to_person = detail.from_person, detail.to_person
    fact.cause, fact.accountable = detail.cause, detail.accountable


def _clocked(event: event_pb2.Event, detail: Clocked, _: Conversation) -> None:
    fact, change = event.clock_changed, detail.change
    clock = change.clock
    fact.clock, fact.change, fact.queue, fact.person = clock.kind, change.what, clock.queue, detail.person
    fact.target_seconds, fact.elapsed_seconds, fact.fraction = clock.target_s, change.elapsed_s, change.fraction
    stamp(fact.due_at, clock.due_at)


def _rated(event: event_pb2.Event, detail: Rated, _: Conversation) -> None:
    event.conversation_rated.score, event.conversation_rated.person = detail.score, detail.person


_FACTS: Final[Mapping[type[Any], Callable[[event_pb2.Event, Any, Conversation], None]]] = {
    Moved: _moved,
    Said: _said,
    Assigned: _assigned,
    Clocked: _clocked,
    Rated: _rated,
}
