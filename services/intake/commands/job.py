"""One command on its way through a group, and what it is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message as Pb
from kefu.intake.v1 import conversation_pb2 as pb

from services.intake.convert import WORDS, Converter, message
from services.intake.domain.commands import Append, Caller, Command, Open
from services.intake.domain.conversation import Conversation, Message
from services.kit.call import Call

R = TypeVar("R", bound=Pb)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command made: the conversation as it is now, and the message that was added, if one was."""

    conversation: Conversation
    message: Message | None = None


class Answer(Protocol[R]):
    """How an outcome becomes a reply, how the reply is kept without anybody's words, and how it gets them back."""

    def reply(self, outcome: Outcome) -> R:
        """Return the reply."""

    def keep(self, reply: R) -> bytes:
        """Return what is stored of it for a repeated request."""

    def again(self, kept: bytes, conversation: Conversation | None) -> R:
        """Return the reply to a repeated request; `conversation` as it is now, where it could be loaded."""


@dataclass(slots=True)
class Job(Generic[R]):
    """A command with its caller. `id` is the conversation's, empty for one that is to be opened."""

    call: Call
    caller: Caller
    site: str
    id: str
    command: Command | Open
    answer: Answer[R]

    @property
    def key(self) -> tuple[str, str]:
        """The aggregate: the conversation, or where the customer's words might find one."""
        return self.site, self.id or (burst_key(self.command) if isinstance(self.command, Open) else "")

    @property
    def request(self) -> tuple[str, str] | None:
        """Caller and request id, None for a request that may be repeated."""
        return (self.call.principal.subject, self.call.request_id) if self.call.request_id else None


class ConversationAnswer:
    """Replies with the conversation."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter

    def reply(self, outcome: Outcome) -> pb.Conversation:
        """Return the conversation as the contract shows it."""
        return self._converter.conversation(outcome.conversation)

    def keep(self, reply: pb.Conversation) -> bytes:
        """Return it without words."""
        kept = pb.Conversation()
        kept.CopyFrom(reply)
        for field in WORDS:
            kept.ClearField(field)
        return kept.SerializeToString()

    def again(self, kept: bytes, conversation: Conversation | None) -> pb.Conversation:
        """Return it with the words as they are today, which may have been erased since."""
        reply = pb.Conversation.FromString(kept)
        if conversation is not None:
            today = self._converter.conversation(conversation)
            for field in WORDS:
                setattr(reply, field, getattr(today, field))
        return reply


class MessageAnswer:
    """Replies with the message that was added. A repeated request brings its words itself, as their hash shows."""

    def __init__(self, command: Append) -> None:
        self._text = command.text

    def reply(self, outcome: Outcome) -> pb.Message:
        """Return the message as the contract shows it."""
        assert outcome.message is not None
        return message(outcome.message)

    def keep(self, reply: pb.Message) -> bytes:
        """Return it without words."""
        text, reply.text = reply.text, ""
        kept = reply.SerializeToString()
        reply.text = text
        return kept

    def again(self, kept: bytes, conversation: Conversation | None) -> pb.Message:  # noqa: ARG002 - see Answer
        """Return it with its words."""
        reply = pb.Message.FromString(kept)
        reply.text = self._text
        return reply


def burst_key(command: Open, queue: str = "") -> str:
    """Return under which key a customer's next words find a conversation; empty for calls and unknown customers."""
    if not command.customer or command.channel == "PHONE":
        return ""
    return f"{command.channel}/{queue or command.queue}/{command.customer}"
