"""What a decision leaves behind: numbered entries of the history, each with the fact that is published with it.

They hold ids, times and states, never a person's words.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, TypeAlias

from services.intake.domain.clock import Change
from services.intake.domain.clock_board import Fact
from services.intake.domain.values import AuthorKind, Cause, State


class Moved(NamedTuple):
    """A transition of the life cycle; `from_state` is empty for a new conversation."""

    transition: str
    from_state: str
    to_state: State
    queue: str
    channel: str


class Said(NamedTuple):
    """A message was added."""

    message: str
    author_kind: AuthorKind
    internal: bool


class Assigned(NamedTuple):
    """Offered to, taken by or taken back from a person."""

    from_person: str
    to_person: str
    cause: Cause
    accountable: str


class Clocked(NamedTuple):
    """Something happened to a promise, while `person` had the conversation."""

    change: Change
    person: str


class Rated(NamedTuple):
    """The customer rated `person`."""

    score: int
    person: str


class Noted(NamedTuple):
    """Something worth keeping that nobody else has to hear of, for example a ring."""


Detail: TypeAlias = Moved | Said | Assigned | Clocked | Rated | Noted


class Entry(NamedTuple):
    """One line of a conversation's history. A replay judges promises by `fact` and `number`."""

    version: int
    at: datetime
    actor: str
    what: str
    state: State
    assignee: str
    queue: str
    profile_version: str
    detail: Detail
    fact: Fact | None = None
    number: int = 0
