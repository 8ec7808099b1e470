"""Contract ↔ domain, and the facts that others are told."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.events.v1 import event_pb2 as events
from kefu.staffing.v1 import person_pb2 as pb

from services.staffing.domain.person import Grade, Person, Profile
from services.staffing.domain.presence import Presence, State


def profile_from(person: pb.Person) -> Profile:
    """What a caller says about a person."""
    return Profile(
        display_name=person.display_name,
        grade=_grade(person.grade),
        skills=tuple(sorted(person.skills)),
        capacity=person.capacity,
        certified=person.certified,
    )


def state_from(state: pb.Presence.State.ValueType) -> State:
    """A presence state."""
    return State(pb.Presence.State.Name(state).removeprefix("STATE_"))


def person_to(person: Person, online_today: int, *, display_name: str) -> pb.Person:
    """A person, under the name that the caller may see."""
    profile = person.profile
    return pb.Person(
        name=person.name,
        display_name=display_name,
        grade=pb.Person.Grade.Value(f"GRADE_{profile.grade}"),
        skills=profile.skills,
        capacity=profile.capacity,
        certified=profile.certified,
        active=person.active,
        presence=presence_to(person.presence, online_today),
        etag=person.etag,
    )


def presence_to(presence: Presence, online_today: int) -> pb.Presence:
    """A presence with the seconds online today."""
    since = Timestamp()
    since.FromDatetime(presence.since)
    return pb.Presence(
        state=pb.Presence.State.Value(f"STATE_{presence.state}"), since=since, online_today_seconds=online_today
    )


def facts(before: Person | None, after: Person, actor: str) -> list[events.Event]:
    """The events of a change, in order; the last carries the person's version, an earlier one the number below it."""
    found: list[events.Event] = []
    if before is None or (before.profile, before.active) != (after.profile, after.active):
        found.append(_event(after, actor, person_changed=_person_changed(after)))
    if before is not None and before.presence.state is not after.presence.state:
        changed = events.PresenceChanged(person=after.id, state=after.presence.state.value)
        found.insert(0, _event(after, actor, presence_changed=changed))
    for position, event in enumerate(reversed(found)):
        event.version = after.version - position
    return found


def _grade(grade: pb.Person.Grade.ValueType) -> Grade:
    # an update may leave out what its mask does not name; a create is validated before it comes here
    return Grade(pb.Person.Grade.Name(grade).removeprefix("GRADE_")) if grade else Grade.JUNIOR


def _person_changed(person: Person) -> events.PersonChanged:
    profile = person.profile
    return events.PersonChanged(
        person=person.id,
        skills=profile.skills,
        capacity=profile.capacity,
        active=person.active,
        certified=profile.certified,
        display_name=profile.display_name,
    )


def _event(
    person: Person,
    actor: str,
    *,
    person_changed: events.PersonChanged | None = None,
    presence_changed: events.PresenceChanged | None = None,
) -> events.Event:
    return events.Event(
        site=person.site,
        aggregate=person.name,
        actor=actor,
        person_changed=person_changed,
        presence_changed=presence_changed,
    )
