"""A site, choices, and what surrounds every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a list: `value` is sent, `label` is read."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Site:
    """A site as pages need it, from its profile in force. Rating and promises are the site's own."""

    id: str
    label: str
    timezone: str
    queues: Sequence[Option]
    channels: Sequence[Option]
    tiers: Mapping[str, str]
    regimes: Sequence[str]
    rating_max: int
    closing_steps: frozenset[str]
    reception_steps: frozenset[str]
    max_transfers: int | None = None

    def queue_label(self, queue: str) -> str:
        """The name of a queue for people; its id when the profile in force no longer has it."""
        return next((option.label for option in self.queues if option.value == queue), queue)


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the rail."""

    key: str
    href: str
    icon: str
    active: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds a page of a person at work."""

    site: Site
    sites: Sequence[Option]
    person: str
    display_name: str
    nav: Sequence[NavItem]
    presence: str = ""
    simulation: bool | None = None
    may_simulate: bool = False
    environment: str = ""
    stream: str = ""
