"""Wallboard and service-level report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Promises of a period; `ratio` is None when nothing came due."""

    met: int
    breached: int
    ratio: float | None

    @property
    def tone(self) -> str:
        """Good while every promise is kept, warn when some broke, bad when one in five did."""
        if self.ratio is None:
            return ""
        return "good" if self.ratio >= 1 else "warn" if self.ratio > 0.8 else "bad"


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue of the wallboard. `oldest` is when its longest waiting customer came, None when nobody waits."""

    id: str
    label: str
    waiting: int
    serving: int
    oldest: datetime | None
    target_seconds: float
    recent: ServiceLevel
    today: ServiceLevel


@dataclass(frozen=True, slots=True)
class Colleague:
    """One person of the wallboard."""

    id: str
    name: str
    presence: str
    load: int
    capacity: int
    occupancy: float


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken promise."""

    conversation: str
    href: str
    kind: str
    time: datetime
    queue: str
    person: str


@dataclass(frozen=True, slots=True)
class Wallboard:
    """A site at this moment."""

    time: datetime
    queues: Sequence[Queue]
    people: Sequence[Colleague]
    customers_online: int
    surge: bool
    breaches: Sequence[Breach]

    @property
    def waiting(self) -> int:
        """Customers waiting in all queues."""
        return sum(queue.waiting for queue in self.queues)

    @property
    def oldest(self) -> datetime | None:
        """When the longest waiting customer of all queues came."""
        return min((queue.oldest for queue in self.queues if queue.oldest), default=None)

    @property
    def on_duty(self) -> int:
        """People available or busy."""
        return sum(person.presence in ("AVAILABLE", "BUSY") for person in self.people)

    @property
    def recent(self) -> ServiceLevel:
        """Promises of the last 15 minutes, all queues."""
        return _total([queue.recent for queue in self.queues])

    @property
    def today(self) -> ServiceLevel:
        """Promises of today, all queues."""
        return _total([queue.today for queue in self.queues])


@dataclass(frozen=True, slots=True)
class Point:
    """One quarter of an hour of the trend."""

    label: str
    offered: int
    ratio: float | None


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line of the service-level report."""

    key: str
    label: str
    offered: int
    answered: int
    abandoned: int
    mean_seconds: float
    median_seconds: float
    p90_seconds: float
    first_response: ServiceLevel
    breaches: int
    transfers: int
    rating: float | None


def _total(levels: Sequence[ServiceLevel]) -> ServiceLevel:
    met, breached = sum(level.met for level in levels), sum(level.breached for level in levels)
    return ServiceLevel(met, breached, met / (met + breached) if met + breached else None)
