"""Domain values as messages of the contract, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.intake.v1 import conversation_pb2 as pb

from services.intake.domain.clock import Clock
from services.intake.domain.conversation import Conversation, Message
from services.intake.domain.values import CallState, MessageKind
from services.intake.events import timestamp

# Fields that hold people's words: a stored reply goes without them, and gets them back from their rows.
WORDS: Final = ("customer_name", "subject", "need", "summary")

CUSTOMER_NAME: Final = "intake.customer_name"
PERSON_NAME: Final = "intake.person_name"

_STATES: Final = {name.removeprefix("STATE_"): value for name, value in pb.Conversation.State.items()}
_CHANNELS: Final = {name.removeprefix("CHANNEL_"): value for name, value in pb.Channel.items()}
_CHANNEL_NAMES: Final[dict[int, str]] = {value: name for name, value in _CHANNELS.items()}
_CLOCK_KINDS: Final = {name.removeprefix("KIND_"): value for name, value in pb.Clock.Kind.items()}
_CLOCK_STATES: Final = {name.removeprefix("STATE_"): value for name, value in pb.Clock.State.items()}
_CALL_STATES: Final = {name.removeprefix("STATE_"): value for name, value in pb.Call.State.items()}
_AUTHORS: Final = {name.removeprefix("AUTHOR_KIND_"): value for name, value in pb.Message.AuthorKind.items()}
_KINDS: Final = {name.removeprefix("KIND_"): value for name, value in pb.Message.Kind.items()}
_KIND_NAMES: Final[dict[int, str]] = {value: name for name, value in _KINDS.items()}


class Sealer(Protocol):
    """Seals names: services.kit.crypto.Vault."""

    def seal(self, plain: str, *, purpose: str, record: str) -> bytes:
        """Encrypt a text."""

    def open(self, sealed: bytes, *, purpose: str, record: str) -> str:
        """Decrypt it."""


class Converter:
    """Builds replies; opens sealed names on the way out."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal_customer(self, site: str, customer: str, name: str) -> bytes:
        """Return a customer's name as it is stored."""
        return self._sealer.seal(name, purpose=CUSTOMER_NAME, record=f"{site}/{customer}") if name else b""

    def customer_name(self, c: Conversation) -> str:
        """Return the name of a conversation's customer."""
        sealed = c.customer_name_sealed
        return self._sealer.open(sealed, purpose=CUSTOMER_NAME, record=f"{c.site}/{c.customer}") if sealed else ""

    def seal_person(self, site: str, person: str, name: str) -> bytes:
        """Return a colleague's name as it is stored."""
        return self._sealer.seal(name, purpose=PERSON_NAME, record=f"{site}/{person}") if name else b""

    def person_name(self, site: str, person: str, sealed: bytes) -> str:
        """Return a colleague's name."""
        return self._sealer.open(sealed, purpose=PERSON_NAME, record=f"{site}/{person}") if sealed else ""

    def conversation(self, c: Conversation) -> pb.Conversation:
        """Return a conversation as the contract shows it."""
        return pb.Conversation(
            name=c.name,
            channel=_CHANNELS[c.channel],
            external_id=c.external_id,
            queue=c.queue,
            customer=c.customer,
            customer_name=self.customer_name(c),
            tier=c.tier,
            subject=c.subject,
            state=_STATES[c.state],
            version=c.version,
            assignee=c.assignee,
            accountable_owner=c.accountable_owner,
            clocks=[clock(one) for one in c.clocks],
            need=c.need,
            source=c.source,
            summary=c.summary,
            transfers=c.transfers,
            rating=c.rating,
            create_time=timestamp(c.created_at),
            update_time=timestamp(c.updated_at),
            queue_time=_maybe(c.queued_at),
            end_time=_maybe(c.ended_at),
            call=_call(c),
            profile_version=c.profile_version,
            simulated=c.simulated,
        )


def message(m: Message) -> pb.Message:
    """Return a message as the contract shows it."""
    return pb.Message(
        name=f"sites/{m.site}/conversations/{m.conversation}/messages/{m.id}",
        author_kind=_AUTHORS[m.author_kind],
        author=m.author,
        kind=_KINDS[m.kind],
        text=m.text,
        create_time=timestamp(m.created_at),
        external_id=m.external_id,
        attachment=m.attachment,
    )


def clock(of: Clock) -> pb.Clock:
    """Return a promise as the contract shows it."""
    return pb.Clock(
        kind=_CLOCK_KINDS[of.kind],
        number=of.number,
        state=_CLOCK_STATES[of.state],
        start_time=timestamp(of.started_at),
        due_time=timestamp(of.due_at),
        stop_time=_maybe(of.stopped_at),
        target_seconds=of.target_s,
        warned=of.warned,
    )


def channel_name(value: int) -> str:
    """Return the domain's word for a channel: "WEB"."""
    return _CHANNEL_NAMES[value]


def message_kind(value: int) -> MessageKind:
    """Return the domain's word for a kind; unset reads as words."""
    return MessageKind.TEXT if value == pb.Message.KIND_UNSPECIFIED else MessageKind(_KIND_NAMES[value])


def state_value(state: str) -> int:
    """Return the contract's number of a state."""
    return _STATES[state]


def _call(c: Conversation) -> pb.Call | None:
    if c.call_state is CallState.NONE:
        return None
    return pb.Call(state=_CALL_STATES[c.call_state], rings=c.rings, answer_time=_maybe(c.answered_at))


def _maybe(at: datetime | None) -> Timestamp | None:
    return None if at is None else timestamp(at)
