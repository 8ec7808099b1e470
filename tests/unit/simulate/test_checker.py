from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.simulate.checker import Entry, Found, Promise, Record, Rules, check, counts

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
RULES = Rules((0.5, 0.8, 1.0), 86_400.0)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def history(*steps: tuple[float, str, str, str, str]) -> tuple[Entry, ...]:
    return tuple(
        Entry(number, at(second), actor, what, state, assignee)
        for number, (second, actor, what, state, assignee) in enumerate(steps, start=1)
    )


def late() -> Found:
    """Answered after 40 s of a promise of 30 s, never rated."""
    entries = history(
        (0, "c", "open", "QUEUED", ""),
        (0, "c", "FIRST_RESPONSE STARTED", "QUEUED", ""),
        (15, "timer", "FIRST_RESPONSE WARNED", "QUEUED", ""),
        (24, "timer", "FIRST_RESPONSE WARNED", "QUEUED", ""),
        (30, "timer", "FIRST_RESPONSE WARNED", "QUEUED", ""),
        (30, "timer", "FIRST_RESPONSE BREACHED", "QUEUED", ""),
        (40, "router", "assign ROUTED", "ASSIGNED", "a"),
        (40, "a", "accept", "SERVING", "a"),
        (90, "a", "close", "AWAITING_RATING", "a"),
        (90 + 86_400, "timer", "ratingExpired", "CLOSED", "a"),
    )
    promise = Promise("FIRST_RESPONSE", 1, "BREACHED", at(0), at(30), 30.0, at(30), at(40))
    return Found("late", "CLOSED", 10, "CLOSED", 10, entries, (promise,))


def gone() -> Found:
    """Hung up after 20 s."""
    entries = history(
        (0, "c", "open", "QUEUED", ""),
        (0, "c", "FIRST_RESPONSE STARTED", "QUEUED", ""),
        (15, "timer", "FIRST_RESPONSE WARNED", "QUEUED", ""),
        (20, "c", "hangUp", "ABANDONED", ""),
    )
    promise = Promise("FIRST_RESPONSE", 1, "CANCELLED", at(0), at(30), 30.0, at(20), None)
    return Found("gone", "ABANDONED", 4, "ABANDONED", 4, entries, (promise,))


def record(**changed: Any) -> Record:
    plain: dict[str, Any] = {"sent": {"late": "SERVED", "gone": "ABANDONED"}, "found": (late(), gone())}
    return Record(**(plain | {"capacity": {"a": 1}} | changed))


def without(found: Found, *versions: int) -> Found:
    """A history from which entries were lost, renumbered as if they had never been."""
    kept = [entry for entry in found.entries if entry.version not in versions]
    entries = tuple(dataclasses.replace(entry, version=number) for number, entry in enumerate(kept, start=1))
    return dataclasses.replace(found, entries=entries, version=len(entries), stored_version=len(entries))


def shifted(found: Found, version: int, seconds: float) -> Found:
    """A history in which one entry happened at another time."""
    entries = tuple(
        dataclasses.replace(entry, at=entry.at + timedelta(seconds=seconds)) if entry.version == version else entry
        for entry in found.entries
    )
    return dataclasses.replace(found, entries=entries)


def doubled(found: Found, version: int) -> Found:
    entries = [*found.entries[:version], found.entries[version - 1], *found.entries[version:]]
    renumbered = tuple(dataclasses.replace(entry, version=number) for number, entry in enumerate(entries, start=1))
    return dataclasses.replace(found, entries=renumbered, version=len(entries), stored_version=len(entries))


def test_a_whole_record_has_no_faults_and_is_counted() -> None:
    assert check(record(), RULES) == []
    assert counts(record(), RULES) == {"conversations": 2, "history": 14, "timers": 6}


PLANTED: list[tuple[str, Callable[[], Record]]] = [
    ("lost conversation", lambda: record(found=(gone(),))),
    ("doubled conversation", lambda: record(found=(late(), gone(), gone()))),
    ("unknown conversation", lambda: record(sent={"late": "SERVED"})),
    ("wrong fate", lambda: record(sent={"late": "ABANDONED", "gone": "ABANDONED"})),
    ("contradiction", lambda: record(found=(dataclasses.replace(late(), stored_state="SERVING"), gone()))),
    ("contradiction", lambda: record(found=(dataclasses.replace(late(), stored_version=9), gone()))),
    ("lost history", lambda: record(found=(dataclasses.replace(late(), entries=late().entries[:-1]), gone()))),
    ("lost history", lambda: record(found=(dataclasses.replace(late(), entries=late().entries[1:]), gone()))),
    ("lost timer", lambda: record(found=(without(late(), 3), gone()))),
    ("lost timer", lambda: record(found=(without(late(), 6), gone()))),
    ("lost timer", lambda: record(found=(without(late(), 10), gone()))),
    ("lost timer", lambda: record(found=(late(), without(gone(), 3)))),
    ("lost timer", lambda: record(found=(dataclasses.replace(late(), promises=()), gone()))),
    ("lost timer", lambda: record(overdue=("conversation/late",))),
    ("lost timer", lambda: record(orphaned=("late",))),
    ("untimely timer", lambda: record(found=(shifted(late(), 3, -1), gone()))),
    ("untimely timer", lambda: record(found=(shifted(late(), 6, 1), gone()))),
    ("untimely timer", lambda: record(found=(doubled(late(), 6), gone()))),
    ("lost timer", lambda: record(found=(shifted(late(), 10, -3600), gone()))),
    ("disorder", lambda: record(found=(shifted(late(), 8, -20), gone()))),
    ("lost event", lambda: record(unpublished=1)),
    ("parked", lambda: record(parked=1)),
    ("over capacity", lambda: record(capacity={"a": 0})),
    ("never ended", lambda: record(found=(late(), dataclasses.replace(late(), entries=late().entries[:8])))),
]


@pytest.mark.parametrize(("rule", "planted"), PLANTED)
def test_what_is_planted_is_found(rule: str, planted: Callable[[], Record]) -> None:
    assert rule in {fault.rule for fault in check(planted(), RULES)}


def test_what_happens_at_the_very_instant_of_a_deadline_may_come_first_or_second() -> None:
    promise = Promise("FIRST_RESPONSE", 1, "MET", at(0), at(30), 30.0, at(15), at(15))
    steps = [
        (0.0, "c", "open", "QUEUED", ""),
        (0.0, "c", "FIRST_RESPONSE STARTED", "QUEUED", ""),
        (15.0, "timer", "FIRST_RESPONSE WARNED", "QUEUED", ""),
        (15.0, "a", "accept", "SERVING", "a"),
        (20.0, "a", "close", "AWAITING_RATING", "a"),
        (21.0, "c", "rate", "CLOSED", "a"),
    ]
    for kept in (steps, steps[:2] + steps[3:]):
        found = Found("x", "CLOSED", len(kept), "CLOSED", len(kept), history(*kept), (promise,))
        assert check(Record({"x": "SERVED"}, (found,), {"a": 1}), RULES) == []


def test_two_at_a_time_are_over_a_capacity_of_one() -> None:
    other = dataclasses.replace(late(), external_id="other")
    sent = {"late": "SERVED", "other": "SERVED"}
    faults = check(record(sent=sent, found=(late(), other)), RULES)
    assert {fault.rule for fault in faults} == {"over capacity"}
    assert check(record(sent=sent, found=(late(), other), capacity={"a": 2}), RULES) == []
