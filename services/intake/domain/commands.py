"""What can be asked of a conversation, as values. Names are those of the transitions and of the contract's methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from services.intake.domain.values import CallerKind, MessageKind


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what the decision must know of them.

    `customer` and `channel` are those of a customer's channel token. `supervisor` may do what only the assignee may.
    """

    kind: CallerKind
    subject: str
    customer: str = ""
    channel: str = ""
    supervisor: bool = False
    bot: bool = False


TIMER = Caller(CallerKind.SYSTEM, "timer")
ROUTER = Caller(CallerKind.SYSTEM, "router")


@dataclass(frozen=True, slots=True)
class Open:
    """A new conversation; `text` is the customer's first message, empty when they only entered."""

    channel: str
    external_id: str
    queue: str
    customer: str
    customer_name_sealed: bytes
    subject: str
    text: str
    tier: str
    simulated: bool
    surge: bool = False
    bot_patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Append:
    """A message, note or attachment. `author_name` is what a greeting has to name, empty where nothing has to be."""

    kind: MessageKind
    text: str
    external_id: str = ""
    attachment: str = ""
    author_name: str = ""
    surge: bool = False
    bot_patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Accept:
    """Take what was offered; `name` is how the customer may call who takes it."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Decline:
    """Give back what was offered."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordNeed:
    """Need and source, found out at reception."""

    need: str
    source: str


@dataclass(frozen=True, slots=True)
class Target:
    """A person as intake's copy knows them; None in its place for somebody unknown. `name_sealed` is ciphertext."""

    person: str
    takes_work: bool
    certified: bool
    name_sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand over, to a queue or to a person."""

    queue: str
    person: str
    reason: str
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Verify, and call back."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Take it up again after verification."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on by PHONE or TICKET."""

    target: str


@dataclass(frozen=True, slots=True)
class ReportHarassment:
    """Stop, and let a supervisor look."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """A supervisor's decision: go on, or end it."""

    resume: bool


@dataclass(frozen=True, slots=True)
class Escalate:
    """From the bot to a person."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close with what the site's rules ask for."""

    summary: str
    asked_anything_else: bool
    farewell: bool
    need: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """The customer's mark."""

    score: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """The customer goes."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """The same matter again."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The n-th ring of a call."""

    ring: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """A call ended, by the customer or else by the person."""

    by_customer: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """The router's choice."""

    person: str


@dataclass(frozen=True, slots=True)
class Release:
    """The person to whom it is offered went away before taking it."""

    person: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: judge what is due."""


Command: TypeAlias = (
    Append
    | Accept
    | Decline
    | RecordNeed
    | Transfer
    | Hold
    | Resume
    | Redirect
    | ReportHarassment
    | ReleaseHold
    | Escalate
    | Close
    | Rate
    | Leave
    | Reopen
    | Ring
    | HangUp
    | Offer
    | Release
    | Tick
)
