"""Somebody who works at a site."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.staffing.domain.presence import Presence, State


class Grade(StrEnum):
    """The ladder, lowest first."""

    JUNIOR = "JUNIOR"
    INTERMEDIATE = "INTERMEDIATE"
    SENIOR = "SENIOR"
    SUPERVISOR = "SUPERVISOR"
    MANAGER = "MANAGER"


EDITABLE: Final = ("display_name", "grade", "skills", "capacity", "certified")


@dataclass(frozen=True, slots=True)
class Profile:
    """What can be edited of a person; `capacity` is conversations at a time."""

    display_name: str
    grade: Grade
    skills: tuple[str, ...]
    capacity: int
    certified: bool

    def changed(self, other: Profile, paths: Iterable[str]) -> Profile:
        """This profile with the named fields taken from `other`."""
        return dataclasses.replace(self, **{path: getattr(other, path) for path in paths})


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a site.

    `version` rises with every change and orders the person's events; `revision` rises with edits of the profile only
    and is the etag, so that going on a break never spoils a colleague's edit.
    """

    site: str
    id: str
    profile: Profile
    active: bool
    presence: Presence
    version: int
    revision: int

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/people/{self.id}"

    @property
    def etag(self) -> str:
        """What an optimistic update compares."""
        return str(self.revision)


def joined(site: str, person_id: str, profile: Profile, now: datetime) -> Person:
    """A new person, offline until they say otherwise."""
    offline = Presence(State.OFFLINE, now)
    return Person(site=site, id=person_id, profile=profile, active=True, presence=offline, version=1, revision=1)


def edited(person: Person, profile: Profile) -> Person:
    """The person with another profile; the same object when nothing differs."""
    if profile == person.profile:
        return person
    return dataclasses.replace(person, profile=profile, version=person.version + 1, revision=person.revision + 1)


def left(person: Person, now: datetime) -> Person:
    """The person after their last day: inactive and offline; the same object when they left before."""
    if not person.active:
        return person
    home = present(person, State.OFFLINE, now)  # a change of its own, with a version of its own
    return dataclasses.replace(home, active=False, version=home.version + 1, revision=home.revision + 1)


def present(person: Person, state: State, now: datetime) -> Person:
    """The person in another presence state from `now` on; the same object when it is theirs already."""
    if state is person.presence.state:
        return person
    return dataclasses.replace(person, presence=Presence(state, now), version=person.version + 1)


def masked(display_name: str) -> str:
    """A name as shown to those who may not read it: its first character and an asterisk."""
    return f"{display_name[:1]}*"
