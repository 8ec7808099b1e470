"""The aggregate: one matter between one customer and a site, as a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from services.intake.domain.clock_board import Board
from services.intake.domain.values import LOADING, WAITING, AuthorKind, CallState, MessageKind, State


@dataclass(slots=True)
class Conversation:
    """A conversation as it stands. A value by convention: only a `Draft` changes one, and then its own copy.

    The order of the fields is the order of the columns in `store`. `customer_name_sealed` is ciphertext. `clocks` holds
    what is open and the latest of each kind; earlier ones are in `clock_outcomes`. `refused` are the people who gave it
    back or lost it by silence since it was last taken. `silent` says that who took it has not spoken to the customer
    since. `timer_at` is the instant to which its timer is set, which may be earlier than needed: it then fires for
    nothing and is set anew.
    """

    site: str
    id: str
    channel: str
    external_id: str
    queue: str
    customer: str
    customer_name_sealed: bytes
    tier: str
    subject: str
    state: State
    version: int
    assignee: str
    accountable_owner: str
    clocks: Board
    need: str
    source: str
    summary: str
    transfers: int
    rating: int
    call_state: CallState
    rings: int
    answered_at: datetime | None
    created_at: datetime
    updated_at: datetime
    queued_at: datetime | None
    assigned_at: datetime | None
    customer_at: datetime
    first_response_at: datetime | None
    ended_at: datetime | None
    rating_until: datetime | None
    bot_until: datetime | None
    timer_at: datetime | None
    burst_key: str
    handed_to_person: bool
    resume_state: str
    refused: tuple[str, ...]
    rating_comment: str
    profile_version: str
    simulated: bool
    silent: bool
    redirect_target: str

    def copy(self) -> Conversation:
        """Return an equal one of its own."""
        return Conversation(*_values(self))

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/conversations/{self.id}"

    @property
    def waits(self) -> bool:
        """Whether somebody has to be found for it."""
        return self.state in WAITING or (self.state is State.HANDOFF_PENDING and not self.assignee)

    @property
    def loads(self) -> set[str]:
        """Whose capacity it takes: the person who has it or to whom it is offered, and the owner during a hand-over."""
        if self.state not in LOADING:
            return set()
        people = {self.assignee}
        if self.state is State.HANDOFF_PENDING:
            people.add(self.accountable_owner)
        people.discard("")
        return people


COLUMNS = tuple(field.name for field in fields(Conversation))
_values = attrgetter(*COLUMNS)


class Message(NamedTuple):
    """One message, note or attachment; the fields in the order of the columns in `store`."""

    site: str
    conversation: str
    id: str
    author_kind: AuthorKind
    author: str
    kind: MessageKind
    text: str
    created_at: datetime
    external_id: str
    attachment: str
