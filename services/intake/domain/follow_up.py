"""Follow-ups: promises to come back to a customer (ENTITIES §7.13), SCHEDULED > DUE > DONE | MISSED | CANCELLED."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.intake.domain.refusal import InvalidField, WrongState

# Until when it may still be done, unless the request says otherwise.
GRACE = timedelta(hours=1)
# A plan further ahead than this is a mistake in the year.
HORIZON = timedelta(days=400)


class State(StrEnum):
    """Life cycle of a follow-up."""

    SCHEDULED = "SCHEDULED"
    DUE = "DUE"
    DONE = "DONE"
    MISSED = "MISSED"
    CANCELLED = "CANCELLED"


_TRANSITIONS: dict[str, dict[State, State]] = {
    "fallDue": {State.SCHEDULED: State.DUE},
    "miss": {State.SCHEDULED: State.MISSED, State.DUE: State.MISSED},
    "complete": {State.SCHEDULED: State.DONE, State.DUE: State.DONE},
    "cancel": {State.SCHEDULED: State.CANCELLED, State.DUE: State.CANCELLED},
}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One planned come-back. `person` does it; `version` rises with every change."""

    site: str
    conversation: str
    id: str
    state: State
    version: int
    due_at: datetime
    miss_at: datetime
    person: str
    note: str
    outcome: str
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/conversations/{self.conversation}/followUps/{self.id}"

    @property
    def wakes_at(self) -> datetime | None:
        """The next instant at which time changes it: its due time, then the end of its grace."""
        return {State.SCHEDULED: self.due_at, State.DUE: self.miss_at}.get(self.state)

    def moved(self, transition: str, at: datetime, *, outcome: str = "") -> FollowUp:
        """Return it after `fallDue`, `miss`, `complete` or `cancel`. Raises WrongState naming what is allowed."""
        after = _TRANSITIONS[transition].get(self.state)
        if after is None:
            allowed = [name for name, moves in _TRANSITIONS.items() if self.state in moves]
            raise WrongState(transition, self.state, allowed)
        return replace(self, state=after, version=self.version + 1, updated_at=at, outcome=outcome or self.outcome)

    def ticked(self, at: datetime) -> tuple[FollowUp, ...]:
        """Return it after each step that time has taken by `at`, in order; nothing when none was due."""
        steps: list[FollowUp] = []
        now = self
        while (wake := now.wakes_at) is not None and at >= wake:
            now = now.moved("fallDue" if now.state is State.SCHEDULED else "miss", wake)
            steps.append(now)
        return tuple(steps)


def checked_times(due_at: datetime, miss_at: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return when it is due and when it counts as missed. Raises InvalidField for times that make no plan."""
    if due_at < now:
        raise InvalidField("follow_up.due_time", "must lie in the future")
    if due_at > now + HORIZON:
        raise InvalidField("follow_up.due_time", f"must lie within {HORIZON.days} days")
    missed = due_at + GRACE if miss_at is None else miss_at
    if missed <= due_at:
        raise InvalidField("follow_up.miss_time", "must come after due_time")
    if missed > now + HORIZON:
        raise InvalidField("follow_up.miss_time", f"must lie within {HORIZON.days} days")
    return due_at, missed
