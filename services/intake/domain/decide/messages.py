"""Words: the customer's, a person's, the bot's, and notes among colleagues."""

from __future__ import annotations

from datetime import timedelta

from services.intake.domain import machine
from services.intake.domain.clock_board import Fact
from services.intake.domain.commands import Append
from services.intake.domain.decide import guards
from services.intake.domain.decide.draft import Draft
from services.intake.domain.decide.opening import bot_first
from services.intake.domain.refusal import InvalidField
from services.intake.domain.values import AuthorKind, CallerKind, MessageKind, State

_TO_CUSTOMER = frozenset({MessageKind.TEXT, MessageKind.ATTACHMENT})
_KINDS = {
    AuthorKind.CUSTOMER: _TO_CUSTOMER,
    AuthorKind.AGENT: _TO_CUSTOMER | {MessageKind.NOTE, MessageKind.GREETING},
    AuthorKind.BOT: frozenset({MessageKind.BOT_ANSWER, MessageKind.GREETING}),
    AuthorKind.SYSTEM: frozenset({MessageKind.NOTE, MessageKind.GREETING}),
}
_REOPENING = frozenset({State.CLOSED, State.AWAITING_RATING, State.ABANDONED})
_DEAF = frozenset({State.REDIRECTED, State.HARASSMENT_HOLD})
_TALKING = frozenset({State.RECEPTION, State.SERVING, State.PENDING_VERIFICATION, State.HANDOFF_PENDING, State.WRAP_UP})
_GREETABLE = _TALKING | {State.NEW, State.BOT, State.QUEUED, State.ASSIGNED, State.REOPENED}


def append(draft: Draft, command: Append) -> None:
    """Add a message. A customer's words ask, a person's answer; notes and greetings do neither."""
    author = author_of(draft)
    _check(draft, command, author)
    if author is AuthorKind.CUSTOMER:
        fact: Fact | None = _hear(draft, command)
    elif command.kind is MessageKind.NOTE:
        fact = Fact.SUPERVISED if draft.c.state is State.HARASSMENT_HOLD and draft.caller.supervisor else None
    elif command.kind is MessageKind.GREETING:
        _require(draft, _GREETABLE)
        guards.greeting(draft, command)
        fact = Fact.GREETED
    elif author is AuthorKind.BOT:
        _require(draft, frozenset({State.BOT, State.QUEUED}))
        draft.c.bot_until = None
        fact = Fact.BOT_ANSWERED
    else:
        fact = _answer(draft)
    draft.say(
        command.kind,
        command.text,
        author,
        fact,
        external_id=command.external_id,
        attachment=command.attachment,
    )


def author_of(draft: Draft) -> AuthorKind:
    """Return whose words these are, from who calls."""
    caller = draft.caller
    if caller.bot:
        return AuthorKind.BOT
    if caller.kind is CallerKind.CUSTOMER:
        return AuthorKind.CUSTOMER
    return AuthorKind.AGENT if caller.kind is CallerKind.PERSON else AuthorKind.SYSTEM


def _check(draft: Draft, command: Append, author: AuthorKind) -> None:
    if command.kind not in _KINDS[author]:
        raise InvalidField("message.kind", f"{command.kind} is not for {author}")
    if command.kind is MessageKind.ATTACHMENT:
        if not command.attachment.startswith(f"{draft.c.name}/attachments/"):
            raise InvalidField("message.attachment", "must be an attachment of this conversation")
    elif not command.text:
        raise InvalidField("message.text", "must not be empty")


def _hear(draft: Draft, command: Append) -> Fact:
    """Take the customer's words: where the conversation waits for them, they move it."""
    c = draft.c
    if c.state is State.NEW:
        if bot_first(draft.profile, surge=command.surge, patience_s=command.bot_patience_s):
            draft.move("ask", State.BOT)
        else:
            draft.move("ask")
            draft.enqueue()
    elif c.state is State.WRAP_UP:
        draft.move("return")
        c.ended_at = None
    elif c.state in _REOPENING:
        reopen(draft)
    elif c.state in _DEAF:
        raise machine.wrong_state("message", c.state)
    if c.state is State.BOT:
        c.bot_until = draft.now + timedelta(seconds=command.bot_patience_s)
    c.customer_at = draft.now
    return Fact.QUESTION


def reopen(draft: Draft) -> None:
    """The same matter again; a customer may within the site's window, counted from the end."""
    c = draft.c
    machine.check("reopen", c.state)
    window = draft.profile.closing.reopen_window_s
    if draft.caller.kind is CallerKind.CUSTOMER and (
        window is None or c.ended_at is None or draft.now > c.ended_at + timedelta(seconds=window)
    ):
        raise machine.wrong_state("message", c.state)
    c.queued_at, c.ended_at, c.rating_until, c.refused = draft.now, None, None, ()
    c.assignee, c.assigned_at = "", None
    draft.move("reopen")


def _answer(draft: Draft) -> Fact:
    """A person's words to the customer. While the answer is being verified they do not settle that promise."""
    c = draft.c
    if draft.caller.kind is not CallerKind.PERSON:
        raise InvalidField("message.kind", "a service sends no words of a person")
    _require(draft, _TALKING)
    guards.holder(draft)
    if draft.caller.subject == c.accountable_owner:
        c.silent = False
    if c.state is State.PENDING_VERIFICATION:
        return Fact.REASSURED
    if c.first_response_at is None:
        c.first_response_at = draft.now
    return Fact.ANSWERED


def _require(draft: Draft, states: frozenset[State]) -> None:
    if draft.c.state not in states:
        raise machine.wrong_state("message", draft.c.state)
