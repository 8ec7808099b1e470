from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.intake.domain.follow_up import FollowUp, State, checked_times
from services.intake.domain.refusal import InvalidField, WrongState

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def planned(state: State = State.SCHEDULED) -> FollowUp:
    return FollowUp("s", "c", "f", state, 1, NOW + HOUR, NOW + 2 * HOUR, "ann", "", "", NOW, NOW)


def test_time_makes_it_due_and_then_missed_stamped_when_it_happened() -> None:
    assert planned().ticked(NOW) == ()
    (due,) = planned().ticked(NOW + HOUR)
    assert (due.state, due.version, due.updated_at, due.wakes_at) == (State.DUE, 2, NOW + HOUR, NOW + 2 * HOUR)
    first, second = planned().ticked(NOW + 5 * HOUR)
    assert (first.state, second.state) == (State.DUE, State.MISSED)
    assert (second.updated_at, second.wakes_at) == (NOW + 2 * HOUR, None)


@pytest.mark.parametrize("state", [State.DONE, State.MISSED, State.CANCELLED])
@pytest.mark.parametrize("transition", ["complete", "cancel"])
def test_what_is_over_stays_over(state: State, transition: str) -> None:
    with pytest.raises(WrongState) as refused:
        planned(state).moved(transition, NOW)
    assert (refused.value.state, refused.value.allowed) == (state, ())


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DUE])
def test_it_may_be_done_early_or_when_due(state: State) -> None:
    done = planned(state).moved("complete", NOW, outcome="reached")
    assert (done.state, done.outcome, done.wakes_at) == (State.DONE, "reached", None)


@pytest.mark.parametrize(
    ("due", "missed", "field"),
    [
        (NOW - timedelta(seconds=1), None, "follow_up.due_time"),
        (NOW + timedelta(days=401), None, "follow_up.due_time"),
        (NOW + HOUR, NOW + HOUR, "follow_up.miss_time"),
        (NOW + HOUR, NOW + timedelta(days=500), "follow_up.miss_time"),
    ],
)
def test_times_that_make_no_plan_are_refused(due: datetime, missed: datetime | None, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        checked_times(due, missed, NOW)
    assert refused.value.field == field


def test_without_an_end_it_may_be_done_within_an_hour() -> None:
    assert checked_times(NOW + HOUR, None, NOW) == (NOW + HOUR, NOW + 2 * HOUR)
