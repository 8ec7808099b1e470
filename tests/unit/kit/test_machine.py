"""Declared life cycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from services.kit.errors import FailedPrecondition, PermissionDenied
from services.kit.machine import Machine, Step, Transition


@dataclass
class Facts:
    summary: str = ""


def has_summary(facts: Facts) -> str | None:
    return None if facts.summary else "SUMMARY_MISSING"


TICKET: Machine[Facts] = Machine(
    "ticket",
    initial="OPEN",
    states=("OPEN", "HELD", "DONE"),
    transitions=(
        Transition("hold", ("OPEN",), "HELD"),
        Transition("resume", ("HELD",), "OPEN"),
        Transition("finish", ("OPEN", "HELD"), "DONE", permission="tickets.finish", guards=(has_summary,)),
    ),
)


def test_an_allowed_step() -> None:
    assert TICKET.apply("OPEN", "hold", Facts()) == Step("ticket", "hold", "OPEN", "HELD")
    assert TICKET.apply("HELD", "finish", Facts("done")).to_state == "DONE"


def test_a_wrong_state_names_the_state_and_what_is_allowed() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        TICKET.apply("HELD", "hold", Facts())
    assert caught.value.reason_name == "WRONG_STATE"
    assert caught.value.metadata == {"state": "HELD", "allowed": "resume, finish", "transition": "hold"}


def test_a_guard_says_what_is_missing() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        TICKET.apply("OPEN", "finish", Facts())
    assert caught.value.reason_name == "GUARD_NOT_MET"
    assert caught.value.metadata["guard"] == "SUMMARY_MISSING"


def test_who_may_not_learns_nothing_of_the_state() -> None:
    with pytest.raises(PermissionDenied):
        TICKET.apply("DONE", "finish", Facts(), permitted=lambda permission: permission != "tickets.finish")


def test_an_undeclared_transition_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        TICKET.apply("OPEN", "explode", Facts())


def test_the_diagram() -> None:
    assert TICKET.mermaid() == (
        "stateDiagram-v2\n"
        "    [*] --> OPEN\n"
        "    OPEN --> HELD: hold\n"
        "    HELD --> OPEN: resume\n"
        "    OPEN --> DONE: finish\n"
        "    HELD --> DONE: finish\n"
        "    DONE --> [*]\n"
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"states": ("OPEN", "HELD")}, "DONE is not a state"),
        ({"states": ("OPEN", "HELD", "DONE", "LOST")}, "LOST cannot be reached"),
        ({"states": ("OPEN", "OPEN", "HELD", "DONE")}, "OPEN is declared twice"),
        ({"initial": "NEW"}, "NEW is not a state"),
        ({"transitions": (*TICKET.transitions, Transition("hold", ("OPEN",), "DONE"))}, "hold is declared twice"),
    ],
)
def test_an_unsound_declaration_is_refused(changes: dict[str, Any], fault: str) -> None:
    declared = {
        "name": "t",
        "initial": "OPEN",
        "states": TICKET.states,
        "transitions": TICKET.transitions,
    }
    with pytest.raises(ValueError, match=fault):
        Machine(**(declared | changes))
