"""Proves from what was recorded that nothing acknowledged is lost: no conversation, no timer, no event.

The oracle is the history itself and the site's rules: which deadlines must have gone off, and when, follows from when
promises began and ended. Linear in the number of entries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

Moment: TypeAlias = tuple[str, datetime]

TIMER = "timer"
OVER = frozenset({"CLOSED", "ABANDONED", "REDIRECTED"})
# What the client saw happen, and the states in which such a conversation may be found afterwards.
FATES: Mapping[str, frozenset[str]] = {
    "SERVED": frozenset({"CLOSED", "AWAITING_RATING"}),
    "ABANDONED": frozenset({"ABANDONED"}),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the site's profile says about deadlines; seconds."""

    warn_fractions: tuple[float, ...]
    rating_window_s: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a conversation's history."""

    version: int
    at: datetime
    actor: str
    what: str
    state: str
    assignee: str


@dataclass(frozen=True, slots=True)
class Promise:
    """One clock as it was settled: MET, BREACHED or CANCELLED; `stopped` also when it was late, None when never."""

    kind: str
    number: int
    outcome: str
    started: datetime
    due: datetime
    target_s: float
    settled: datetime
    stopped: datetime | None

    @property
    def plain(self) -> bool:
        """Whether it ran without a pause or closed hours: its deadline lies its length after its start."""
        return (self.due - self.started).total_seconds() == self.target_s


@dataclass(frozen=True, slots=True)
class Found:
    """One conversation as the API and as the tables have it."""

    external_id: str
    state: str
    version: int
    stored_state: str
    stored_version: int
    entries: tuple[Entry, ...]
    promises: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Everything there is to check. `sent` is what the client was told: external id → how the conversation ended.

    `capacity` is conversations at a time by person; `overdue` are armed timers whose instant has passed, `orphaned`
    conversations that wait for a timer which is not armed, `unpublished` events that never left, `parked` what failed.
    """

    sent: Mapping[str, str]
    found: tuple[Found, ...]
    capacity: Mapping[str, int]
    overdue: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()
    unpublished: int = 0
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something lost, doubled, early or contradictory; `rule` is the check that found it."""

    rule: str
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.words}"


def check(record: Record, rules: Rules) -> list[Fault]:
    """Every fault in a record; an empty list is the proof."""
    faults = [*_conversations(record), *_left_over(record)]
    for found in record.found:
        faults += _versions(found)
        faults += _promises(found, rules)
        faults += _rating(found, rules)
    return faults + list(_loads(record))


def counts(record: Record, rules: Rules) -> dict[str, int]:
    """How much was checked: conversations, history entries, and deadlines that had to go off."""
    deadlines = sum(len(_deadlines(promise, rules)[0]) for found in record.found for promise in found.promises)
    expiries = sum(entry.what == "ratingExpired" for found in record.found for entry in found.entries)
    return {
        "conversations": len(record.found),
        "history": sum(len(found.entries) for found in record.found),
        "timers": deadlines + expiries,
    }


def _conversations(record: Record) -> Iterator[Fault]:
    times = Counter(found.external_id for found in record.found)
    for key, fate in record.sent.items():
        if not times[key]:
            yield Fault("lost conversation", key, f"acknowledged ({fate}), but nowhere to be found")
    for key, number in times.items():
        if number > 1:
            yield Fault("doubled conversation", key, f"is there {number} times")
        if key not in record.sent:
            yield Fault("unknown conversation", key, "nobody sent it")
    for found in record.found:
        fate = record.sent.get(found.external_id, "")
        if found.state not in FATES.get(fate, frozenset({found.state})):
            yield Fault("wrong fate", found.external_id, f"the client saw {fate}, it is {found.state}")
        if (found.state, found.version) != (found.stored_state, found.stored_version):
            yield Fault("contradiction", found.external_id, "the API and the tables differ")


def _left_over(record: Record) -> Iterator[Fault]:
    for timer in record.overdue:
        yield Fault("lost timer", timer, "its instant has passed and it is still armed")
    for key in record.orphaned:
        yield Fault("lost timer", key, "the conversation waits for a timer that is not armed")
    if record.unpublished:
        yield Fault("lost event", "outbox", f"{record.unpublished} events never left")
    if record.parked:
        yield Fault("parked", "parked", f"{record.parked} items failed five times")


def _versions(found: Found) -> Iterator[Fault]:
    numbers = [entry.version for entry in found.entries]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Fault("lost history", found.external_id, f"versions {_short(numbers)} do not count up from 1")
    if numbers and numbers[-1] != found.version:
        yield Fault("lost history", found.external_id, f"ends at {numbers[-1]}, the conversation is at {found.version}")
    if any(earlier.at > later.at for earlier, later in pairwise(found.entries)):
        yield Fault("disorder", found.external_id, "an entry is older than the one before it")


def _promises(found: Found, rules: Rules) -> Iterator[Fault]:
    started = Counter(entry.what.split()[0] for entry in found.entries if entry.what.endswith(" STARTED"))
    settled = Counter(promise.kind for promise in found.promises)
    for kind, number in started.items():
        if settled[kind] != number:
            yield Fault("lost timer", found.external_id, f"{number} {kind} began, {settled[kind]} were settled")
    for kind in settled:
        mine = [promise for promise in found.promises if promise.kind == kind]
        if not all(promise.plain for promise in mine):  # fractions over closed hours are not recomputed here
            continue
        required: Counter[Moment] = Counter()
        allowed: Counter[Moment] = Counter()
        for promise in mine:
            must, may = _deadlines(promise, rules)
            required.update(must)
            allowed.update(may)
        fired = Counter(
            (entry.what.split()[1], entry.at)
            for entry in found.entries
            if entry.actor == TIMER and entry.what in (f"{kind} WARNED", f"{kind} BREACHED")
        )
        for (change, at), number in (required - fired).items():
            yield Fault("lost timer", found.external_id, f"{kind} {change} at {at:%H:%M:%S} is missing {number} times")
        for (change, at), number in (fired - allowed).items():
            yield Fault("untimely timer", found.external_id, f"{kind} {change} at {at:%H:%M:%S}, {number} too many")
        for promise in mine:
            if promise.outcome == "BREACHED" and promise.settled != promise.due:
                yield Fault("untimely timer", found.external_id, f"{kind} broke at another instant than its deadline")


def _deadlines(promise: Promise, rules: Rules) -> tuple[list[Moment], list[Moment]]:
    """The warnings and the breach that must have happened, and those that may have: at one instant either is first."""
    broke = [("BREACHED", promise.due)] if promise.outcome == "BREACHED" else []
    warnings = [
        ("WARNED", promise.started + timedelta(seconds=promise.target_s * fraction))
        for fraction in rules.warn_fractions
    ]
    end = promise.due if broke else promise.stopped or promise.settled
    must = [moment for moment in warnings if moment[1] < end or broke]
    return must + broke, [moment for moment in warnings if moment[1] <= end] + broke


def _rating(found: Found, rules: Rules) -> Iterator[Fault]:
    """A closed conversation is rated, or its rating window ends, once, at its instant."""
    if rules.rating_window_s is None:
        return
    closed = [entry.at for entry in found.entries if entry.what == "close" and entry.state == "AWAITING_RATING"]
    rated = [entry.at for entry in found.entries if entry.what == "rate"]
    expired = [entry.at for entry in found.entries if entry.what == "ratingExpired"]
    if not closed:
        return
    due = closed[-1] + timedelta(seconds=rules.rating_window_s)
    if rated and expired:
        yield Fault("untimely timer", found.external_id, "rated, and the rating window ended as well")
    if not rated and found.state not in OVER:
        yield Fault("lost timer", found.external_id, "neither rated nor expired")
    if not rated and found.state == "CLOSED" and expired != [due]:
        yield Fault("lost timer", found.external_id, f"the rating window ended {len(expired)} times, not once at {due}")


def _loads(record: Record) -> Iterator[Fault]:
    """At no instant has anybody more than their capacity: +1 when a conversation comes to them, -1 when it leaves."""
    steps: dict[str, list[tuple[datetime, int, int]]] = {}
    for found in record.found:
        holder = ""
        for entry in found.entries:
            keeps = entry.assignee if entry.state not in (*OVER, "AWAITING_RATING") else ""
            if keeps == holder:
                continue
            # at one instant whoever leaves goes first
            for person, change in ((holder, -1), (keeps, 1)):
                if person:
                    steps.setdefault(person, []).append((entry.at, change, entry.version))
            holder = keeps
        if holder:
            yield Fault("never ended", found.external_id, f"{holder} still has it")
    for person, changes in steps.items():
        if _most(sorted(changes)) > record.capacity.get(person, 0):
            yield Fault("over capacity", person, f"had {_most(sorted(changes))} at a time")


def _most(changes: Iterable[tuple[datetime, int, int]]) -> int:
    most = now = 0
    for _, change, _ in changes:
        now += change
        most = max(most, now)
    return most


def _short(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
