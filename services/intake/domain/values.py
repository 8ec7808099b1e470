"""The words of the domain: states, channels, kinds; as in kefu.intake.v1 without the enums' prefixes.

`__hash__` is that of the text: the one of Enum is Python code, and these are looked up for every message.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Life cycle of a conversation (ENTITIES §7.1)."""

    __hash__ = str.__hash__

    NEW = "NEW"
    BOT = "BOT"
    QUEUED = "QUEUED"
    ASSIGNED = "ASSIGNED"
    RECEPTION = "RECEPTION"
    SERVING = "SERVING"
    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    HANDOFF_PENDING = "HANDOFF_PENDING"
    WRAP_UP = "WRAP_UP"
    AWAITING_RATING = "AWAITING_RATING"
    CLOSED = "CLOSED"
    REOPENED = "REOPENED"
    ABANDONED = "ABANDONED"
    REDIRECTED = "REDIRECTED"
    HARASSMENT_HOLD = "HARASSMENT_HOLD"


class CallState(StrEnum):
    """Life cycle of a call (ENTITIES §7.2); NONE for what is no call."""

    __hash__ = str.__hash__

    NONE = ""
    RINGING = "RINGING"
    TALKING = "TALKING"
    CUSTOMER_HUNG_UP = "CUSTOMER_HUNG_UP"
    AGENT_HUNG_UP = "AGENT_HUNG_UP"
    ABANDONED = "ABANDONED"


class AuthorKind(StrEnum):
    """Who wrote a message."""

    __hash__ = str.__hash__

    CUSTOMER = "CUSTOMER"
    AGENT = "AGENT"
    BOT = "BOT"
    SYSTEM = "SYSTEM"


class MessageKind(StrEnum):
    """What a message is."""

    __hash__ = str.__hash__

    TEXT = "TEXT"
    NOTE = "NOTE"
    GREETING = "GREETING"
    BOT_ANSWER = "BOT_ANSWER"
    ATTACHMENT = "ATTACHMENT"


class CallerKind(StrEnum):
    """What stands behind a command; ROUTER and TIMER are Kefu itself."""

    __hash__ = str.__hash__

    CUSTOMER = "CUSTOMER"
    PERSON = "PERSON"
    SERVICE = "SERVICE"
    SYSTEM = "SYSTEM"


class Cause(StrEnum):
    """Why an assignment changed."""

    __hash__ = str.__hash__

    ROUTED = "ROUTED"
    ACCEPTED = "ACCEPTED"
    TRANSFERRED = "TRANSFERRED"
    TAKEN_BACK = "TAKEN_BACK"
    RELEASED = "RELEASED"


PHONE: Final = "PHONE"

# Over for good, unless the customer comes back.
ENDED: Final = frozenset({State.CLOSED, State.ABANDONED, State.REDIRECTED})
# Neither ended nor waiting for a rating: what counts as a customer online.
ONLINE: Final = frozenset(State) - ENDED - {State.AWAITING_RATING}
# The assignee's capacity is taken.
LOADING: Final = frozenset(
    {
        State.ASSIGNED,
        State.RECEPTION,
        State.SERVING,
        State.PENDING_VERIFICATION,
        State.HANDOFF_PENDING,
        State.WRAP_UP,
        State.HARASSMENT_HOLD,
    }
)
# A person is talking with the customer.
SERVED: Final = frozenset({State.RECEPTION, State.SERVING, State.PENDING_VERIFICATION, State.HANDOFF_PENDING})
# Somebody has to be found; HANDOFF_PENDING too, while it is offered to nobody.
WAITING: Final = frozenset({State.QUEUED, State.REOPENED})
