"""SLA clocks: promises to a customer as a pure function of what happened and when.

A clock counts seconds of its queue's business hours where the profile lets it stand still outside them, else every
second. It is broken the instant *after* its deadline: an answer exactly at the deadline keeps the promise. A breach is
stamped at the deadline and a warning at its fraction, whoever notices and however late, so that the same facts give the
same clocks whether they are judged as they happen, with timers firing in between, or replayed years later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

# The first instant at which a deadline has passed: PostgreSQL counts in microseconds, as Python does.
INSTANT = timedelta(microseconds=1)


class Kind(StrEnum):
    """What is promised."""

    __hash__ = str.__hash__

    GREETING = "GREETING"
    FIRST_RESPONSE = "FIRST_RESPONSE"
    REPLY_GAP = "REPLY_GAP"
    HANDOFF = "HANDOFF"
    RINGS = "RINGS"
    VERIFICATION_CALLBACK = "VERIFICATION_CALLBACK"
    HARASSMENT = "HARASSMENT"


class State(StrEnum):
    """How a promise stands. BREACHED: broken and not answered; STOPPED_LATE: broken and answered since."""

    __hash__ = str.__hash__

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    MET = "MET"
    BREACHED = "BREACHED"
    STOPPED_LATE = "STOPPED_LATE"
    CANCELLED = "CANCELLED"


class PauseReason(StrEnum):
    """Why a clock may stand still."""

    __hash__ = str.__hash__

    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    CUSTOMER_SILENT = "CUSTOMER_SILENT"
    VERIFYING = "VERIFYING"


class What(StrEnum):
    """What happened to a clock."""

    __hash__ = str.__hash__

    STARTED = "STARTED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    WARNED = "WARNED"
    MET = "MET"
    BREACHED = "BREACHED"
    STOPPED_LATE = "STOPPED_LATE"
    CANCELLED = "CANCELLED"


class Calendar(Protocol):
    """Business hours."""

    def add(self, start: datetime, seconds: float) -> datetime:
        """Return the instant `seconds` of business time after `start`."""
        ...

    def elapsed(self, start: datetime, end: datetime) -> float:
        """Return the seconds of business time from `start` to `end`."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What one queue promises. A kind without a target has no clock; targets are seconds.

    `pauses` names the clocks that may stand still and why; `calendar` counts only for clocks that pause OUTSIDE_HOURS.
    """

    targets: Mapping[Kind, float]
    warn_fractions: tuple[float, ...] = (0.5, 0.8, 1.0)
    pauses: frozenset[tuple[Kind, PauseReason]] = frozenset()
    bot_answer_stops: bool = False
    calendar: Calendar | None = None
    max_rings: int = 0

    def hours(self, kind: Kind) -> Calendar | None:
        """Return the calendar by which `kind` counts; None when every second counts."""
        return self.calendar if (kind, PauseReason.OUTSIDE_HOURS) in self.pauses else None


# By queue; a clock is judged by the queue whose promise it is, also after a transfer.
Rulebook = Mapping[str, Rules]


class Clock(NamedTuple):
    """One promise. `remaining_s` was left of it at `counts_from`, its start or last resumption.

    `due_at` is the deadline; while paused, the one before the pause. `stopped_at` is set once it no longer counts: for
    BREACHED, when the matter ended without an answer. `trace` is the traceparent of the call that began it, if kept.
    """

    kind: Kind
    number: int
    queue: str
    state: State
    started_at: datetime
    due_at: datetime
    target_s: float
    counts_from: datetime
    remaining_s: float
    warned: tuple[float, ...] = ()
    stopped_at: datetime | None = None
    paused_at: datetime | None = None
    paused_for: tuple[PauseReason, ...] = ()
    trace: str = ""

    @property
    def open(self) -> bool:
        """Whether the customer still waits for what was promised."""
        return self.stopped_at is None


class Change(NamedTuple):
    """Something that happened to a clock: `clock` after it, `at` the instant to which it is stamped.

    `elapsed_s` is the time used by then; `fraction` the warning's, else 0.
    """

    clock: Clock
    what: What
    at: datetime
    elapsed_s: float
    fraction: float = 0.0


# A clock and what happened to it, in order.
Step = tuple[Clock, tuple[Change, ...]]


def start(kind: Kind, at: datetime, rules: Rules, *, number: int = 1, queue: str = "", trace: str = "") -> Step:
    """Start the promise `kind` of `queue`. Raises KeyError when the queue does not make it."""
    target = rules.targets[kind]
    due = _after(rules.hours(kind), at, target)
    clock = Clock(kind, number, queue, State.RUNNING, at, due, target, at, target, trace=trace)
    return clock, (Change(clock, What.STARTED, at, 0.0),)


def tick(clock: Clock, at: datetime, rules: Rules) -> Step:
    """Judge a clock at `at`: warnings whose instant has passed, each once, and the breach once the deadline has."""
    if clock.state is not State.RUNNING:
        return clock, ()
    changes: list[Change] = []
    for fraction, instant in _warnings(clock, rules):
        if at <= instant:
            break
        clock = clock._replace(warned=(*clock.warned, fraction))
        changes.append(Change(clock, What.WARNED, instant, fraction * clock.target_s, fraction))
    if at > clock.due_at:
        clock = clock._replace(state=State.BREACHED)
        changes.append(Change(clock, What.BREACHED, clock.due_at, clock.target_s))
    return clock, tuple(changes)


def stop(clock: Clock, at: datetime, rules: Rules) -> Step:
    """Record that what was promised was done: MET up to the deadline, STOPPED_LATE after it."""
    if not clock.open:
        return clock, ()
    clock, changes = tick(clock, at, rules)
    late = clock.state is State.BREACHED
    used = elapsed_s(clock, at, rules)
    clock = clock._replace(
        state=State.STOPPED_LATE if late else State.MET, stopped_at=at, paused_at=None, paused_for=()
    )
    return clock, (*changes, Change(clock, What.STOPPED_LATE if late else What.MET, at, used))


def cancel(clock: Clock, at: datetime, rules: Rules) -> Step:
    """Record that the matter went away: not judged before the deadline, after it the breach stands."""
    if not clock.open:
        return clock, ()
    clock, changes = tick(clock, at, rules)
    if clock.state is State.BREACHED:
        return clock._replace(stopped_at=at), changes
    used = elapsed_s(clock, at, rules)
    clock = clock._replace(state=State.CANCELLED, stopped_at=at, paused_at=None, paused_for=())
    return clock, (*changes, Change(clock, What.CANCELLED, at, used))


def pause(clock: Clock, at: datetime, rules: Rules, *, reason: PauseReason) -> Step:
    """Let the clock stand still, where the profile permits `reason`; otherwise it runs on. Reasons add up."""
    if (clock.kind, reason) not in rules.pauses or not clock.open:
        return clock, ()
    clock, changes = tick(clock, at, rules)
    if clock.state is State.BREACHED or reason in clock.paused_for:
        return clock, changes
    if clock.state is State.PAUSED:
        return clock._replace(paused_for=(*clock.paused_for, reason)), changes
    used = elapsed_s(clock, at, rules)
    clock = clock._replace(
        state=State.PAUSED, paused_at=at, paused_for=(reason,), counts_from=at, remaining_s=clock.target_s - used
    )
    return clock, (*changes, Change(clock, What.PAUSED, at, used))


def resume(clock: Clock, at: datetime, rules: Rules, *, reason: PauseReason) -> Step:
    """End a pause for `reason`; the clock runs on once no other reason holds it."""
    if reason not in clock.paused_for:
        return clock, ()
    others = tuple(other for other in clock.paused_for if other is not reason)
    if others:
        return clock._replace(paused_for=others), ()
    due = _after(rules.hours(clock.kind), at, clock.remaining_s)
    clock = clock._replace(state=State.RUNNING, paused_at=None, paused_for=(), counts_from=at, due_at=due)
    return clock, (Change(clock, What.RESUMED, at, clock.target_s - clock.remaining_s),)


def ring(clock: Clock, at: datetime, rules: Rules, *, number: int) -> Step:
    """Record the `number`-th ring: rings are promised, not seconds, so that each ring sets the deadline anew.

    The promise is broken by the ring after the last permitted one, or when that ring is overdue unreported.
    """
    clock, changes = tick(clock, at, rules)
    if clock.state is not State.RUNNING:
        return clock, changes
    left = max(rules.max_rings - number + 1, 0) * clock.target_s / rules.max_rings
    clock = clock._replace(counts_from=at, remaining_s=left, due_at=at + timedelta(seconds=left))
    if left:
        return clock, changes
    clock = clock._replace(state=State.BREACHED)
    return clock, (*changes, Change(clock, What.BREACHED, at, clock.target_s))


def wakes_at(clock: Clock, rules: Rules) -> datetime | None:
    """Return the next instant at which time alone changes the clock; None when it never does."""
    if clock.state is not State.RUNNING:
        return None
    for _, instant in _warnings(clock, rules):
        return instant + INSTANT
    return clock.due_at + INSTANT


def elapsed_s(clock: Clock, at: datetime, rules: Rules) -> float:
    """Return how much of the promised time was used at `at`, in the clock's own seconds; above the target when late."""
    used = clock.target_s - clock.remaining_s
    if clock.state is State.PAUSED:
        return used
    return used + _between(rules.hours(clock.kind), clock.counts_from, min(at, clock.stopped_at or at))


def _warnings(clock: Clock, rules: Rules) -> Iterable[tuple[float, datetime]]:
    """Yield the warnings still to come, with their instants."""
    hours = rules.hours(clock.kind)
    used = clock.target_s - clock.remaining_s
    for fraction in rules.warn_fractions:
        if clock.warned and fraction <= clock.warned[-1]:
            continue
        instant = _after(hours, clock.counts_from, max(fraction * clock.target_s - used, 0.0))
        yield fraction, min(instant, clock.due_at)


def _after(hours: Calendar | None, start_at: datetime, seconds: float) -> datetime:
    return hours.add(start_at, seconds) if hours else start_at + timedelta(seconds=seconds)


def _between(hours: Calendar | None, start_at: datetime, end_at: datetime) -> float:
    return hours.elapsed(start_at, end_at) if hours else (end_at - start_at).total_seconds()
