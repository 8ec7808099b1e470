"""What pages show. Plain values: templates render them, `present` makes them from replies of services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


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
class Clock:
    """One promise. `level`: ok, half, near, late while it runs; idle once settled."""

    kind: str
    state: str
    start: datetime
    due: datetime
    target_seconds: float
    stop: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether time still runs for or against us."""
        return self.state in ("RUNNING", "BREACHED")

    @property
    def took_seconds(self) -> float:
        """From start to stop; 0 while it runs."""
        return (self.stop - self.start).total_seconds() if self.stop else 0.0

    def level(self, now: datetime) -> str:
        """How far the promise has run: the colours of the desk."""
        if not self.open:
            return "idle"
        total = (self.due - self.start).total_seconds()
        part = (now - self.start).total_seconds() / total if total > 0 else 1.0
        return "late" if part >= 1 else "near" if part >= 0.8 else "half" if part >= 0.5 else "ok"


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in a list. `offered`: waiting for this person's acceptance. `preview` is one line."""

    id: str
    href: str
    customer: str
    subject: str
    channel: str
    queue: str
    state: str
    tier: str
    created: datetime
    updated: datetime
    assignee: str = ""
    clock: Clock | None = None
    offered: bool = False
    selected: bool = False
    simulated: bool = False
    rating: int = 0


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a conversation."""

    href: str
    file_name: str
    media_type: str
    size_bytes: int

    @property
    def image(self) -> bool:
        """Whether it is shown in place."""
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class Message:
    """One bubble. `side`: customer, agent, bot, system or note. `new_day` asks for a line with the date before it."""

    id: str
    side: str
    author: str
    text: str
    time: datetime
    kind: str
    attachment: Attachment | None = None
    new_day: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a conversation's history."""

    time: datetime
    what: str
    actor: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation opened on the desk. `actions`: what the state and the person's permissions allow."""

    row: Row
    messages: Sequence[Message]
    clocks: Sequence[Clock]
    actions: frozenset[str]
    need: str = ""
    source: str = ""
    summary: str = ""
    owner: str = ""
    owner_label: str = ""
    assignee_label: str = ""
    transfers: int = 0
    queue_position: int = 0
    customer_id: str = ""
    earlier: Sequence[Row] = ()
    history: Sequence[Entry] = ()
    people: Sequence[Option] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """The agent's desk: what is offered, what is mine, what waits, and the conversation that is open."""

    offered: Sequence[Row]
    mine: Sequence[Row]
    waiting: int
    oldest_wait_seconds: float
    opened: Conversation | None = None


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


@dataclass(frozen=True, slots=True)
class Chat:
    """The customer's side. `stage`: start, waiting, talking, rating, over."""

    stage: str
    conversation: str = ""
    messages: Sequence[Message] = ()
    queue_position: int = 0
    rating: int = 0
    rating_max: int = 5


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


def _total(levels: Sequence[ServiceLevel]) -> ServiceLevel:
    met, breached = sum(level.met for level in levels), sum(level.breached for level in levels)
    return ServiceLevel(met, breached, met / (met + breached) if met + breached else None)
