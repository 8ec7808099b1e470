"""Conversations as the desk and the customers' chat show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.gateway.console.views.frame import Option


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
class Chat:
    """The customer's side. `stage`: start, waiting, talking, rating, over."""

    stage: str
    conversation: str = ""
    messages: Sequence[Message] = ()
    queue_position: int = 0
    rating: int = 0
    rating_max: int = 5
