"""A decision in the making: a copy of the conversation, and everything that has to be stored with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.intake.domain import clock_board, machine
from services.intake.domain.clock import Change, Clock, Kind, What
from services.intake.domain.clock_board import Board, Fact, Happening
from services.intake.domain.commands import Caller
from services.intake.domain.conversation import Conversation, Message
from services.intake.domain.history import Assigned, Clocked, Detail, Entry, Moved, Said
from services.intake.domain.rules import SiteRules
from services.intake.domain.values import ONLINE, AuthorKind, Cause, MessageKind, State

# Changes that time alone made; in the history they come before the fact that noticed them.
_BY_TIME = frozenset({What.WARNED, What.BREACHED})


class Context(NamedTuple):
    """What a decision may know beside the conversation: the rules in force, the instant, who asks, and new ids.

    `trace` is the traceparent of the call where its trace is kept; the promises that begin now remember it.
    """

    rules: SiteRules
    now: datetime
    caller: Caller
    new_id: Callable[[], str]
    trace: str = ""


class Decision(NamedTuple):
    """What is to be stored. `arm_at` is set when its timer must go off earlier than it is set to; `route` when the site
    has to look for work or people anew; `loads` is the change of each person's load."""

    before: Conversation | None
    after: Conversation
    entries: tuple[Entry, ...]
    messages: tuple[Message, ...]
    changes: tuple[Change, ...]
    arm_at: datetime | None
    route: bool
    loads: dict[str, int]


class Draft:
    """Changes its own copy, `c`, and gathers what follows from it. Refusals leave the original untouched."""

    def __init__(self, before: Conversation | None, fresh: Conversation, context: Context) -> None:
        self.before = before
        self.c = fresh
        self.context = context
        self.profile = context.rules.profile
        self.caller = context.caller
        # Two processes' clocks may differ by a little; facts of one conversation never go back.
        self.now = context.now if before is None else max(context.now, before.updated_at)
        self.messages: list[Message] = []
        self._entries: list[Entry] = []
        self._changes: list[Change] = []

    @classmethod
    def on(cls, conversation: Conversation, context: Context) -> Draft:
        """Begin a change of an existing conversation."""
        return cls(conversation, conversation.copy(), context)

    def move(self, transition: str, to: State | None = None, *, fact: Fact | None = None, number: int = 0) -> None:
        """Make a declared transition, to `to` or its usual end; raises WrongState where the life cycle forbids it."""
        before = self.c.state
        ways = machine.check(transition, before)
        after = ways[0] if to is None else to
        if after not in ways:
            raise AssertionError(f"{transition} never leads from {before} to {after}")
        detail = Moved(transition, before, after, self.c.queue, self.c.channel)
        early = self._happen(fact, number)
        self.c.state = after
        self._write(transition, detail, fact, number)
        self._follow(early)

    def record(self, what: str, detail: Detail, fact: Fact | None = None, number: int = 0) -> None:
        """Add an entry; its fact moves the clocks, and what they did follows as entries of its own."""
        rest = self._happen(fact, number)
        self._write(what, detail, fact, number)
        self._follow(rest)

    def say(
        self,
        kind: MessageKind,
        text: str,
        author: AuthorKind,
        fact: Fact | None,
        *,
        external_id: str = "",
        attachment: str = "",
    ) -> Message:
        """Add a message."""
        c = self.c
        subject = "" if author is AuthorKind.CUSTOMER else self.caller.subject
        message = Message(
            c.site, c.id, self.context.new_id(), author, subject, kind, text, self.now, external_id, attachment
        )
        self.messages.append(message)
        self.record(f"message {author}", Said(message.id, author, kind is MessageKind.NOTE), fact)
        return message

    def note(self, text: str) -> None:
        """Tell colleagues why; nothing to say leaves nothing."""
        if text:
            self.say(MessageKind.NOTE, text, AuthorKind.AGENT, None)

    def assign(self, person: str, cause: Cause) -> None:
        """Give it to a person, or to nobody."""
        c = self.c
        before, c.assignee = c.assignee, person
        c.assigned_at = self.now if person else None
        self.record(f"assign {cause}", Assigned(before, person, cause, c.accountable_owner))

    def enqueue(self) -> None:
        """Let it wait from now on, unless it waited already."""
        self.c.queued_at = self.c.queued_at or self.now

    def tick(self) -> None:
        """Judge the clocks by the present instant."""
        board, changes = clock_board.tick(self.c.clocks, self.now, self.context.rules.rulebook)
        self.c.clocks = board
        for change in changes:
            self._clocked(change)

    def done(self) -> Decision:
        """Return everything that was decided."""
        c, before = self.c, self.before
        c.updated_at = self.now
        c.profile_version = self.profile.version
        wake = self._wakes_at()
        arm_at = None
        if wake is not None and (c.timer_at is None or wake < c.timer_at):
            arm_at = c.timer_at = wake
        loads = self._loads()
        return Decision(
            before=before,
            after=c,
            entries=tuple(self._entries),
            messages=tuple(self.messages),
            changes=tuple(self._changes),
            arm_at=arm_at,
            route=self._must_route(loads),
            loads=loads,
        )

    def take_back_at(self) -> datetime | None:
        """Return when it is taken back: an offer nobody answered, or silence of who took it; None when neither is."""
        c, seconds = self.c, self.profile.routing.take_back_after_s
        if seconds is None or c.assigned_at is None or not c.assignee:
            return None
        offered = c.state in {State.ASSIGNED, State.HANDOFF_PENDING}
        speechless = c.state in {State.RECEPTION, State.SERVING} and c.silent
        return c.assigned_at + timedelta(seconds=seconds) if offered or speechless else None

    def _happen(self, fact: Fact | None, number: int) -> Sequence[Change]:
        """Move the clocks; write down what time alone had done before, and return the rest."""
        if fact is None:
            return ()
        happening = Happening(fact, self.now, self.c.queue, number, self.context.trace)
        board, changes = clock_board.apply(self.c.clocks, happening, self.context.rules.rulebook)
        self.c.clocks = _trimmed(board)
        rest = []
        for change in changes:
            if change.what in _BY_TIME and change.at < self.now:
                self._clocked(change)
            else:
                rest.append(change)
        return rest

    def _follow(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._clocked(change)

    def _clocked(self, change: Change) -> None:
        self._changes.append(change)
        by_time = change.what in _BY_TIME
        self._write(
            f"{change.clock.kind} {change.what}",
            Clocked(change, self.c.assignee),
            at=change.at,
            actor="timer" if by_time else self.caller.subject,
        )

    def _write(
        self,
        what: str,
        detail: Detail,
        fact: Fact | None = None,
        number: int = 0,
        *,
        at: datetime | None = None,
        actor: str | None = None,
    ) -> None:
        c = self.c
        c.version += 1
        self._entries.append(
            Entry(
                c.version,
                self.now if at is None else at,
                self.caller.subject if actor is None else actor,
                what,
                c.state,
                c.assignee,
                c.queue,
                self.profile.version,
                detail,
                fact,
                number,
            )
        )

    def _wakes_at(self) -> datetime | None:
        c = self.c
        wake = clock_board.wakes_at(c.clocks, self.context.rules.rulebook)
        for other in (
            self.take_back_at(),
            c.rating_until if c.state is State.AWAITING_RATING else None,
            c.bot_until if c.state is State.BOT else None,
        ):
            if other is not None and (wake is None or other < wake):
                wake = other
        return wake

    def _loads(self) -> dict[str, int]:
        before, c = self.before, self.c
        if before is not None and before.state is c.state and before.assignee == c.assignee:
            return {}
        now, then = c.loads, set() if before is None else before.loads
        return dict.fromkeys(now - then, 1) | dict.fromkeys(then - now, -1)

    def _must_route(self, loads: dict[str, int]) -> bool:
        before, c = self.before, self.c
        if any(delta < 0 for delta in loads.values()):
            return True
        if before is None:
            return True
        if before.state is c.state:
            return c.waits and not before.waits
        return (c.waits and not before.waits) or (c.state in ONLINE) != (before.state in ONLINE)


def _trimmed(board: Board) -> Board:
    """Keep what is open and the latest of each kind: a long conversation must not carry every answer it ever got."""
    if len(board) <= 2:
        return board
    latest: dict[Kind, Clock] = {clock.kind: clock for clock in board}
    return tuple(clock for clock in board if clock.open or latest[clock.kind] is clock)
