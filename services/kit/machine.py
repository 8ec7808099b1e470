"""Life cycles that are declared, not programmed: states, transitions, who may, and what must be so before.

    TICKET = Machine("ticket", initial="OPEN", states=("OPEN", "DONE"), transitions=(
        Transition("finish", ("OPEN",), "DONE", permission="tickets.finish", guards=(has_summary,)),
    ))
    step = TICKET.apply("OPEN", "finish", facts)
    TICKET.record(tx, step, site="desk", object="sites/desk/tickets/t", actor="ann", event=event)

Pure, apart from `record`, which puts the step's audit row and event into the transaction that stores the new state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kefu.common.v1 import errors_pb2

from services.kit.audit import Entry
from services.kit.errors import FailedPrecondition, PermissionDenied

if TYPE_CHECKING:
    from kefu.events.v1.event_pb2 import Event

    from services.kit.db import Transaction

F = TypeVar("F")

# Returns why the step is not allowed (a short upper-case word for the client), or None when it is.
Guard = Callable[[F], "str | None"]


@dataclass(frozen=True, slots=True)
class Transition(Generic[F]):
    """One arrow: from any of `sources` to `target`, for holders of `permission` (empty: whoever may call at all)."""

    name: str
    sources: tuple[str, ...]
    target: str
    permission: str = ""
    guards: tuple[Guard[F], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that was allowed: what to store and to tell."""

    machine: str
    transition: str
    from_state: str
    to_state: str


@dataclass(frozen=True)
class Machine(Generic[F]):
    """A life cycle. Raises ValueError at once when the declaration is not sound."""

    name: str
    initial: str
    states: tuple[str, ...]
    transitions: tuple[Transition[F], ...]
    _by_name: Mapping[str, Transition[F]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the declaration."""
        faults = list(_faults(self))
        if faults:
            raise ValueError(f"machine {self.name}: " + "; ".join(faults))
        object.__setattr__(self, "_by_name", MappingProxyType({one.name: one for one in self.transitions}))

    def allowed(self, state: str) -> tuple[str, ...]:
        """Return the names of the transitions that leave a state, in order of declaration."""
        return tuple(one.name for one in self.transitions if state in one.sources)

    def apply(
        self, state: str, transition: str, facts: F, *, permitted: Callable[[str], bool] = lambda _: True
    ) -> Step:
        """Return the step from `state`; `permitted(permission)` says what the caller holds at this site.

        Raises FailedPrecondition WRONG_STATE (metadata: state, allowed), FailedPrecondition GUARD_NOT_MET (metadata:
        guard, the first one's reason), PermissionDenied, or KeyError for a transition that is not declared.
        """
        arrow = self._by_name[transition]
        if arrow.permission and not permitted(arrow.permission):
            raise PermissionDenied
        if state not in arrow.sources:
            metadata = {"state": state, "allowed": ", ".join(self.allowed(state)), "transition": transition}
            raise FailedPrecondition(errors_pb2.ERROR_REASON_WRONG_STATE, metadata)
        for guard in arrow.guards:
            if (reason := guard(facts)) is not None:
                raise FailedPrecondition(
                    errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": reason, "transition": transition}
                )
        return Step(self.name, transition, state, arrow.target)

    def record(
        self,
        tx: Transaction,
        step: Step,
        *,
        site: str,
        object: str,  # noqa: A002 - the word of the audit log
        actor: str,
        event: Event,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the step's audit row and its event into the transaction that stores the new state."""
        words = {"from": step.from_state, "to": step.to_state, **(detail or {})}
        action = f"{step.machine}.{step.transition}"
        tx.audit(Entry(site, actor, action, object, json.dumps(words, sort_keys=True, ensure_ascii=False)))
        tx.publish(event)

    def mermaid(self) -> str:
        """Return the life cycle as a mermaid state diagram, for the documentation."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        for one in self.transitions:
            lines += [f"    {source} --> {one.target}: {one.name}" for source in one.sources]
        ends = [state for state in self.states if not self.allowed(state)]
        return "\n".join([*lines, *(f"    {state} --> [*]" for state in ends)]) + "\n"


def _faults(machine: Machine[Any]) -> Iterable[str]:
    names = [one.name for one in machine.transitions]
    yield from (f"{name} is declared twice" for name in _twice(names))
    yield from (f"{state} is declared twice" for state in _twice(machine.states))
    used = {machine.initial, *(one.target for one in machine.transitions)}
    used |= {source for one in machine.transitions for source in one.sources}
    yield from (f"{state} is not a state" for state in sorted(used - set(machine.states)))
    reached = _reachable(machine)
    yield from (f"{state} cannot be reached" for state in machine.states if state not in reached)


def _reachable(machine: Machine[Any]) -> set[str]:
    reached, frontier = {machine.initial}, [machine.initial]
    while frontier:
        state = frontier.pop()
        targets = {one.target for one in machine.transitions if state in one.sources} - reached
        reached |= targets
        frontier += targets
    return reached


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
