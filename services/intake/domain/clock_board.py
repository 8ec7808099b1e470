"""All clocks of one conversation: which fact starts, stops, pauses or ends which promise.

`apply` is the only path: the service calls it fact by fact, `replay` folds it over a recorded history, also under the
rules of another profile version (`kefu profile dry-run`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.intake.domain import clock as clocks_of
from services.intake.domain.clock import Change, Clock, Kind, PauseReason, Rulebook, Rules, State, Step


class Fact(StrEnum):
    """What happened in a conversation, as far as promises go."""

    __hash__ = str.__hash__

    ENTERED = "ENTERED"  # the customer came in and asked nothing yet
    QUESTION = "QUESTION"  # words of the customer
    GREETED = "GREETED"  # a canned greeting
    BOT_ANSWERED = "BOT_ANSWERED"  # an answer of the bot
    ANSWERED = "ANSWERED"  # a person's words to the customer
    REASSURED = "REASSURED"  # a person's words while the answer is still being verified
    CALLED = "CALLED"  # a call came in
    RANG = "RANG"  # the n-th ring of a call
    PICKED_UP = "PICKED_UP"  # a person answered the call
    TRANSFERRED = "TRANSFERRED"  # offered to another person or queue
    ACCEPTED = "ACCEPTED"  # the other person took it
    DECLINED = "DECLINED"  # the other person refused: back to the owner
    HELD = "HELD"  # the answer is being verified, a call back was promised
    RESUMED = "RESUMED"  # taken up again after verification
    HARASSED = "HARASSED"  # an agent stopped it because of harassment
    SUPERVISED = "SUPERVISED"  # a supervisor's first word on harassment
    RELEASED = "RELEASED"  # goes on after a supervisor looked at it
    ENDED = "ENDED"  # over: closed, redirected, left or hung up


class Happening(NamedTuple):
    """A fact with its instant and the queue in which it happened; `number` is the ring's, else 0. `trace` is the
    traceparent of the call in which it happened, where that is kept."""

    fact: Fact
    at: datetime
    queue: str
    number: int = 0
    trace: str = ""


# The clocks of a conversation in the order in which they were started. Settled ones may be left out, except the latest
# of each kind.
Board = tuple[Clock, ...]

_STARTS: dict[Fact, Kind] = {
    Fact.ENTERED: Kind.GREETING,
    Fact.CALLED: Kind.FIRST_RESPONSE,
    Fact.TRANSFERRED: Kind.HANDOFF,
    Fact.HELD: Kind.VERIFICATION_CALLBACK,
    Fact.HARASSED: Kind.HARASSMENT,
}
_QUESTIONS = frozenset({Kind.FIRST_RESPONSE, Kind.REPLY_GAP})
_KEPT = frozenset({State.MET, State.STOPPED_LATE})
_ANSWER = frozenset({Kind.GREETING, *_QUESTIONS})
_STOPS: dict[Fact, frozenset[Kind]] = {
    Fact.GREETED: frozenset({Kind.GREETING}),
    Fact.REASSURED: _ANSWER,
    Fact.ANSWERED: _ANSWER | {Kind.VERIFICATION_CALLBACK},
    Fact.PICKED_UP: _ANSWER | {Kind.RINGS},
    Fact.ACCEPTED: frozenset({Kind.HANDOFF}),
    Fact.SUPERVISED: frozenset({Kind.HARASSMENT}),
    Fact.RELEASED: frozenset({Kind.HARASSMENT}),
    Fact.ENDED: frozenset({Kind.HARASSMENT}),  # only a supervisor ends what is held
}
# A second call back replaces the first, which nobody can keep any more. A hand-over that is declined or offered anew is
# still promised: only acceptance keeps it (docs/decisions/0104).
_CANCELS: dict[Fact, frozenset[Kind]] = {
    Fact.HELD: frozenset({Kind.VERIFICATION_CALLBACK}),
    Fact.HARASSED: frozenset(Kind),
    Fact.ENDED: frozenset(Kind),
}
_PAUSES = {
    Fact.REASSURED: PauseReason.CUSTOMER_SILENT,
    Fact.ANSWERED: PauseReason.CUSTOMER_SILENT,
    Fact.HELD: PauseReason.VERIFYING,
}
_RESUMES = {Fact.QUESTION: PauseReason.CUSTOMER_SILENT, Fact.RESUMED: PauseReason.VERIFYING}


def apply(board: Board, happening: Happening, rulebook: Rulebook) -> tuple[Board, tuple[Change, ...]]:
    """Return the board after a fact, and what it and the time until then changed. Facts must come in order of time."""
    fact, at = happening.fact, happening.at
    rules = rulebook[happening.queue]
    stopped = _stopped(fact, rules)
    cancelled = _CANCELS.get(fact, frozenset())

    def step(clock: Clock, own: Rules) -> Step:
        if clock.kind in stopped:
            return clocks_of.stop(clock, at, own)
        if clock.kind in cancelled:
            return clocks_of.cancel(clock, at, own)
        clock, passed = clocks_of.tick(clock, at, own)
        if fact is Fact.RANG and clock.kind is Kind.RINGS:
            clock, caused = clocks_of.ring(clock, at, own, number=happening.number)
        elif fact in _PAUSES:
            clock, caused = clocks_of.pause(clock, at, own, reason=_PAUSES[fact])
        elif fact in _RESUMES:
            clock, caused = clocks_of.resume(clock, at, own, reason=_RESUMES[fact])
        else:
            caused = ()
        return clock, passed + caused

    board, changes = _each(board, rulebook, step)
    kind = _started(fact, board)
    if kind is None or kind not in rules.targets:
        return board, changes
    # the board may have lost settled clocks, but never the latest of a kind
    number = max((clock.number for clock in board if clock.kind is kind), default=0) + 1
    clock, begun = clocks_of.start(kind, at, rules, number=number, queue=happening.queue, trace=happening.trace)
    if kind is Kind.RINGS and happening.number > 1:  # the first ring that was reported is not the first that rang
        clock, missed = clocks_of.ring(clock, at, rules, number=happening.number)
        begun += missed
    return (*board, clock), changes + begun


def tick(board: Board, at: datetime, rulebook: Rulebook) -> tuple[Board, tuple[Change, ...]]:
    """Return the board as time alone leaves it at `at`, and what that changed."""
    return _each(board, rulebook, lambda clock, rules: clocks_of.tick(clock, at, rules))


def wakes_at(board: Board, rulebook: Rulebook) -> datetime | None:
    """Return the next instant at which time alone changes the board; None when it never does."""
    wakes = [
        instant
        for clock in board
        if clock.state is State.RUNNING and (instant := clocks_of.wakes_at(clock, rulebook[clock.queue]))
    ]
    return min(wakes, default=None)


def replay(
    happenings: Iterable[Happening], rulebook: Rulebook, *, until: datetime | None = None
) -> tuple[Board, tuple[Change, ...]]:
    """Judge a recorded history from the beginning, up to `until` where it is given, else up to its last fact."""
    board: Board = ()
    changes: list[Change] = []
    for happening in happenings:
        board, more = apply(board, happening, rulebook)
        changes += more
    if until is not None:
        board, more = tick(board, until, rulebook)
        changes += more
    return board, tuple(changes)


def _each(board: Board, rulebook: Rulebook, step: Callable[[Clock, Rules], Step]) -> tuple[Board, tuple[Change, ...]]:
    after: list[Clock] = []
    changes: list[Change] = []
    for clock in board:
        if not clock.open:
            after.append(clock)
            continue
        moved, more = step(clock, rulebook[clock.queue])
        after.append(moved)
        changes += more
    if len(changes) > 1:
        # two clocks that broke between two facts broke in the order of their deadlines
        changes.sort(key=lambda change: change.at)
    return tuple(after), tuple(changes)


def _stopped(fact: Fact, rules: Rules) -> frozenset[Kind]:
    if fact is Fact.BOT_ANSWERED:
        return _ANSWER if rules.bot_answer_stops else frozenset()
    return _STOPS.get(fact, frozenset())


def _started(fact: Fact, board: Board) -> Kind | None:
    """Return the promise that a fact starts on `board`, which it has changed already."""
    if fact is Fact.QUESTION:
        return _asked(board)
    if fact is Fact.RELEASED:
        return _unkept(board)
    if fact is Fact.TRANSFERRED and any(clock.kind is Kind.HANDOFF and clock.open for clock in board):
        return None
    if fact is Fact.RANG:
        return None if any(clock.kind is Kind.RINGS for clock in board) else Kind.RINGS
    return _STARTS.get(fact)


def _asked(board: Board) -> Kind | None:
    """Return the promise that a question starts: none while an earlier one waits for its answer."""
    answered = False
    for clock in board:
        if clock.open and clock.kind in _QUESTIONS:
            return None
        answered = answered or (clock.kind is Kind.FIRST_RESPONSE and clock.state in _KEPT)
    return Kind.REPLY_GAP if answered else Kind.FIRST_RESPONSE


def _unkept(board: Board) -> Kind | None:
    """Return the promise of an answer that was ended before anybody answered."""
    latest = {clock.kind: clock for clock in board}
    for kind in (Kind.FIRST_RESPONSE, Kind.REPLY_GAP):
        if kind in latest and latest[kind].state in {State.CANCELLED, State.BREACHED}:
            return kind
    return None
