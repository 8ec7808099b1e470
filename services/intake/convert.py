"""Domain values as messages of the contract, and back."""

from __future__ import annotations

from typing import Final, Protocol

from kefu.intake.v1 import conversation_pb2 as pb

from services.intake.domain.clock import Clock
from services.intake.domain.conversation import Conversation, Message
from services.intake.domain.values import CallState, MessageKind
from services.intake.events import stamp

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
        return self.opened_customer(c.site, c.customer, c.customer_name_sealed)

    def opened_customer(self, site: str, customer: str, sealed: bytes) -> str:
        """Return a customer's name from what is stored."""
        return self._sealer.open(sealed, purpose=CUSTOMER_NAME, record=f"{site}/{customer}") if sealed else ""

    def seal_person(self, site: str, person: str, name: str) -> bytes:
        """Return a colleague's name as it is stored."""
        return self._sealer.seal(name, purpose=PERSON_NAME, record=f"{site}/{person}") if name else b""

    def person_name(self, site: str, person: str, sealed: bytes) -> str:
        """Return a colleague's name."""
        return self._sealer.open(sealed, purpose=PERSON_NAME, record=f"{site}/{person}") if sealed else ""

    def conversation(self, c: Conversation) -> pb.Conversation:
        """Return a conversation as the contract shows it."""
        shown = pb.Conversation(
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
            need=c.need,
            source=c.source,
            summary=c.summary,
            transfers=c.transfers,
            rating=c.rating,
            profile_version=c.profile_version,
            simulated=c.simulated,
        )
        # What is itself a message is written in place: half the cost of building it to be copied.
        stamp(shown.create_time, c.created_at)
        stamp(shown.update_time, c.updated_at)
        if c.queued_at is not None:
            stamp(shown.queue_time, c.queued_at)
        if c.ended_at is not None:
            stamp(shown.end_time, c.ended_at)
        for one in c.clocks:
            _clock(shown.clocks.add(), one)
        if c.call_state is not CallState.NONE:
            _call(shown.call, c)
        return shown


def message(m: Message) -> pb.Message:
    """Return a message as the contract shows it."""
    shown = pb.Message(
        name=f"sites/{m.site}/conversations/{m.conversation}/messages/{m.id}",
        author_kind=_AUTHORS[m.author_kind],
        author=m.author,
        kind=_KINDS[m.kind],
        text=m.text,
        external_id=m.external_id,
        attachment=m.attachment,
    )
    stamp(shown.create_time, m.created_at)
    return shown


def channel_name(value: int) -> str:
    """Return the domain's word for a channel: "WEB"."""
    return _CHANNEL_NAMES[value]


def message_kind(value: int) -> MessageKind:
    """Return the domain's word for a kind; unset reads as words."""
    return MessageKind.TEXT if value == pb.Message.KIND_UNSPECIFIED else MessageKind(_KIND_NAMES[value])


def state_value(state: str) -> int:
    """Return the contract's number of a state."""
    return _STATES[state]


def _clock(shown: pb.Clock, of: Clock) -> None:
    shown.kind, shown.number, shown.state = _CLOCK_KINDS[of.kind], of.number, _CLOCK_STATES[of.state]
    shown.target_seconds = of.target_s
    shown.warned.extend(of.warned)
    stamp(shown.start_time, of.started_at)
    stamp(shown.due_time, of.due_at)
    if of.stopped_at is not None:
        stamp(shown.stop_time, of.stopped_at)


def _call(shown: pb.Call, c: Conversation) -> None:
    shown.state, shown.rings = _CALL_STATES[c.call_state], c.rings
    if c.answered_at is not None:
        stamp(shown.answer_time, c.answered_at)
