"""People, and other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the people page: the account joined with the person at work."""

    id: str
    user_name: str
    display_name: str
    state: str
    roles: Sequence[str]
    presence: str = ""
    skills: Sequence[str] = ()
    capacity: int = 0
    last_sign_in: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that a webhook's receiver did not take."""

    id: str
    kind: str
    tries: int
    status: int
    fault: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events of the site are sent to; `parked` were given up."""

    id: str
    url: str
    kinds: Sequence[str]
    created: datetime
    parked: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A program that calls Kefu. `roles` reads "site: role, role"."""

    id: str
    title: str
    roles: Sequence[str]
    origins: Sequence[str]
    active: bool
