"""Was anything acknowledged lost, or done twice? Linear in what was recorded; its teeth are in test_checker.py.

Outcomes of an attempt: acknowledged (a reply came), or unknown, which may have taken effect at any time until the
request id is repeated to an answer. At the end every id has an answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is read at the end; names rise in the order in which messages were stored."""

    name: str
    text: str


@dataclass(slots=True)
class Record:
    """What clients sent and heard. `said` maps request id → text, `acknowledged` request id → name in the order of the
    replies, `contradictions` request ids that were answered in two ways."""

    said: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def heard(self, request_id: str, name: str) -> None:
        """Note a reply."""
        if self.acknowledged.setdefault(request_id, name) != name:
            self.contradictions.append(request_id)
        self.unknown.discard(request_id)


def check_messages(record: Record, found: Sequence[Message]) -> Iterator[str]:
    """C1: every acknowledged message is there once with its words, in the order of the replies of its sender, and
    nothing is there that nobody sent."""
    by_name = {message.name: message for message in found}
    times = Counter(message.name for message in found)
    yield from (f"doubled: {name} is there {number} times" for name, number in times.items() if number > 1)
    yield from (f"contradiction: {request_id} was answered twice, differently" for request_id in record.contradictions)
    yield from (f"unanswered: {request_id} was never repeated to an answer" for request_id in sorted(record.unknown))
    for request_id, name in record.acknowledged.items():
        message = by_name.get(name)
        if message is None:
            yield f"lost: {request_id} was acknowledged as {name}, which is not there"
        elif message.text != record.said[request_id]:
            yield f"changed: {name} has other words than {request_id} sent"
    texts = Counter(message.text for message in found)
    sent = set(record.said.values())
    yield from (f"doubled: {text!r} was stored {number} times" for text, number in texts.items() if number > 1)
    yield from (f"unknown: nobody sent {text!r}" for text in texts if text not in sent)


def check_order(record: Record, writers: Mapping[str, Sequence[str]], found: Sequence[Message]) -> Iterator[str]:
    """C1: what one writer said one after the other, each after the reply before it, is stored in that order.

    `writers` gives each writer's request ids in the order in which they were first sent.
    """
    place = {message.name: number for number, message in enumerate(found)}
    for writer, sent in writers.items():
        places = [place[name] for one in sent if (name := record.acknowledged.get(one, "")) in place]
        if places != sorted(places):
            yield f"disorder: messages of {writer} are not in the order in which they were said"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a conversation's history."""

    version: int
    what: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A settled promise: seconds between its deadline and the instant to which its breach is stamped."""

    kind: str
    outcome: str
    stamped_after_s: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one conversation; `broken` names the promises that nobody kept and whose deadlines have passed."""

    name: str
    version: int
    entries: tuple[Entry, ...]
    promises: tuple[Promise, ...]
    broken: tuple[str, ...] = ()


def check_histories(kept: Sequence[Kept]) -> Iterator[str]:
    """C2 and C4: versions count up by one without a gap; every deadline that passed went off once, stamped there."""
    for one in kept:
        versions = [entry.version for entry in one.entries]
        if versions != list(range(1, len(versions) + 1)):
            yield f"lost version: {one.name} has a gap or a repetition in its history"
        if versions and versions[-1] != one.version:
            yield f"lost version: {one.name} is at {one.version}, its history at {versions[-1]}"
        fired = Counter(entry.what for entry in one.entries if entry.what.endswith(" BREACHED"))
        expected = Counter(f"{kind} BREACHED" for kind in one.broken)
        yield from (f"lost timer: {one.name}: {what}" for what in (expected - fired))
        yield from (f"doubled or early timer: {one.name}: {what}" for what in (fired - expected))
        settled = {promise.kind: promise for promise in one.promises}
        for kind in one.broken:
            promise = settled.get(kind)
            if promise is None or promise.outcome != "BREACHED":
                yield f"lost timer: {one.name}: the outcome of {kind} is missing"
            elif promise.stamped_after_s != 0:
                yield f"untimely timer: {one.name}: {kind} is stamped {promise.stamped_after_s:g} s off its deadline"


@dataclass(frozen=True, slots=True)
class Holding:
    """At the instant of reading: who has which conversations, and what the service counts as their load."""

    capacity: Mapping[str, int]
    loads: Mapping[str, int]
    assigned: Sequence[tuple[str, str]]


def check_assignments(holding: Holding) -> Iterator[str]:
    """C5: one owner a conversation, nobody above capacity, and the counted load is what people really have."""
    owners: dict[str, set[str]] = defaultdict(set)
    held: Counter[str] = Counter()
    for conversation, person in holding.assigned:
        owners[conversation].add(person)
        held[person] += 1
    yield from (f"two owners: {one} is with {sorted(them)}" for one, them in owners.items() if len(them) > 1)
    for person, number in held.items():
        if number > holding.capacity.get(person, 0):
            yield f"over capacity: {person} has {number}"
    for person in holding.loads.keys() | held.keys():
        if holding.loads.get(person, 0) != held[person]:
            yield f"miscounted: {person} has {held[person]}, counted as {holding.loads.get(person, 0)}"
