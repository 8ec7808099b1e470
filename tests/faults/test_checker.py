"""The checker's teeth: planted losses, doubles and contradictions that it must find, and clean records that pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.checker import (
    Entry,
    Holding,
    Kept,
    Message,
    Promise,
    Record,
    check_assignments,
    check_histories,
    check_messages,
    check_order,
)

SENT = {"w-1": "one", "w-2": "two", "w-3": "three"}
FOUND = [Message("m1", "one"), Message("m2", "two"), Message("m3", "three")]
HISTORY = Kept(
    "c",
    3,
    (Entry(1, "open"), Entry(2, "FIRST_RESPONSE STARTED"), Entry(3, "FIRST_RESPONSE BREACHED")),
    (Promise("FIRST_RESPONSE", "BREACHED", 0.0),),
    ("FIRST_RESPONSE",),
)
HELD = Holding({"ann": 2}, {"ann": 2}, [("c1", "ann"), ("c2", "ann")])


def record() -> Record:
    made = Record(dict(SENT))
    for request_id, message in zip(SENT, FOUND, strict=True):
        made.heard(request_id, message.name)
    return made


def test_clean_records_pass() -> None:
    assert [*check_messages(record(), FOUND)] == []
    assert [*check_order(record(), {"w": list(SENT)}, FOUND)] == []
    assert [*check_histories([HISTORY])] == []
    assert [*check_assignments(HELD)] == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (FOUND[:2], "lost: w-3"),
        ([*FOUND, FOUND[0]], "doubled: m1"),
        ([*FOUND, Message("m4", "two")], "doubled: 'two'"),
        ([*FOUND, Message("m4", "four")], "unknown: nobody sent 'four'"),
        ([*FOUND[:2], Message("m3", "other")], "changed: m3"),
    ],
)
def test_planted_faults_of_messages_are_found(found: list[Message], words: str) -> None:
    assert [fault for fault in check_messages(record(), found) if fault.startswith(words)]


def test_an_id_answered_in_two_ways_or_never_is_found() -> None:
    twice = record()
    twice.heard("w-1", "m9")
    assert [*check_messages(twice, FOUND)] == ["contradiction: w-1 was answered twice, differently"]
    open_ = record()
    open_.unknown.add("w-9")
    assert [*check_messages(open_, FOUND)] == ["unanswered: w-9 was never repeated to an answer"]


def test_messages_out_of_order_are_found() -> None:
    assert [*check_order(record(), {"w": list(SENT)}, [FOUND[1], FOUND[0], FOUND[2]])] == [
        "disorder: messages of w are not in the order in which they were said"
    ]


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (replace(HISTORY, entries=HISTORY.entries[:2], version=2), "lost timer"),
        (replace(HISTORY, promises=()), "lost timer: c: the outcome"),
        (replace(HISTORY, entries=(*HISTORY.entries, Entry(4, "FIRST_RESPONSE BREACHED")), version=4), "doubled"),
        (replace(HISTORY, broken=()), "doubled or early timer"),
        (replace(HISTORY, promises=(Promise("FIRST_RESPONSE", "BREACHED", 1.5),)), "untimely timer"),
        (replace(HISTORY, entries=(HISTORY.entries[0], HISTORY.entries[2])), "lost version"),
        (replace(HISTORY, version=4), "lost version: c is at 4"),
    ],
)
def test_planted_faults_of_histories_are_found(kept: Kept, words: str) -> None:
    assert [fault for fault in check_histories([kept]) if fault.startswith(words)]


@pytest.mark.parametrize(
    ("holding", "words"),
    [
        (replace(HELD, assigned=[*HELD.assigned, ("c1", "bob")]), "two owners: c1"),
        (replace(HELD, assigned=[*HELD.assigned, ("c3", "ann")]), "over capacity: ann"),
        (replace(HELD, loads={"ann": 1}), "miscounted: ann"),
        (replace(HELD, assigned=[]), "miscounted: ann"),
    ],
)
def test_planted_faults_of_assignments_are_found(holding: Holding, words: str) -> None:
    assert [fault for fault in check_assignments(holding) if fault.startswith(words)]
