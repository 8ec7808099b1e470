from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.intake.domain import clock as clocks
from services.intake.domain.clock import Clock, Kind, PauseReason, Rules, State, What

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RULES = Rules(targets={Kind.FIRST_RESPONSE: 30.0, Kind.HANDOFF: 120.0, Kind.RINGS: 12.0}, max_rings=3)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def running(rules: Rules = RULES, kind: Kind = Kind.FIRST_RESPONSE) -> Clock:
    return clocks.start(kind, NOON, rules)[0]


def test_start_sets_the_deadline() -> None:
    clock, changes = clocks.start(Kind.FIRST_RESPONSE, NOON, RULES, number=2, queue="GENERAL")
    assert (clock.due_at, clock.state, clock.number, clock.queue) == (after(30), State.RUNNING, 2, "GENERAL")
    assert [(c.what, c.at) for c in changes] == [(What.STARTED, NOON)]


def test_an_answer_exactly_at_the_deadline_keeps_the_promise() -> None:
    clock, changes = clocks.stop(running(), after(30), RULES)
    assert clock.state is State.MET
    assert [c.what for c in changes] == [What.WARNED, What.WARNED, What.MET]
    assert changes[-1].elapsed_s == 30


def test_the_microsecond_after_breaks_it_and_the_breach_bears_the_deadline() -> None:
    clock, changes = clocks.stop(running(), after(30) + clocks.INSTANT, RULES)
    assert clock.state is State.STOPPED_LATE
    assert (What.BREACHED, after(30)) in [(c.what, c.at) for c in changes]


def test_a_breach_noticed_five_minutes_late_is_stamped_at_the_deadline() -> None:
    clock, changes = clocks.tick(running(), after(330), RULES)
    assert clock.state is State.BREACHED
    assert [(c.what, c.at, c.fraction) for c in changes] == [
        (What.WARNED, after(15), 0.5),
        (What.WARNED, after(24), 0.8),
        (What.WARNED, after(30), 1.0),
        (What.BREACHED, after(30), 0.0),
    ]


def test_each_warning_comes_once() -> None:
    clock, first = clocks.tick(running(), after(16), RULES)
    clock, second = clocks.tick(clock, after(17), RULES)
    assert (len(first), second, clock.warned) == (1, (), (0.5,))


def test_wakes_at_leads_through_every_warning_to_the_breach_and_ends() -> None:
    clock, at = running(), clocks.wakes_at(running(), RULES)
    seen: list[datetime] = []
    while at is not None:
        seen.append(at - clocks.INSTANT)
        clock, changes = clocks.tick(clock, at, RULES)
        assert changes, "waking up must change something"
        at = clocks.wakes_at(clock, RULES)
    assert seen == [after(15), after(24), after(30)]
    assert clock.state is State.BREACHED


def test_cancel_before_the_deadline_is_not_judged_and_after_it_stays_a_breach() -> None:
    assert clocks.cancel(running(), after(29), RULES)[0].state is State.CANCELLED
    late = clocks.cancel(running(), after(31), RULES)[0]
    assert (late.state, late.stopped_at) == (State.BREACHED, after(31))


def test_a_settled_clock_never_changes_again() -> None:
    met = clocks.stop(running(), after(5), RULES)[0]
    assert clocks.tick(met, after(100), RULES) == (met, ())
    assert clocks.stop(met, after(100), RULES) == (met, ())
    assert clocks.cancel(met, after(100), RULES) == (met, ())
    assert clocks.pause(met, after(100), RULES, reason=PauseReason.VERIFYING) == (met, ())


def test_pause_needs_permission() -> None:
    clock, changes = clocks.pause(running(), after(10), RULES, reason=PauseReason.CUSTOMER_SILENT)
    assert (clock.state, changes) == (State.RUNNING, ())


def test_a_pause_credits_its_time_and_shifts_warnings_and_deadline() -> None:
    rules = Rules(targets=RULES.targets, pauses=frozenset({(Kind.FIRST_RESPONSE, PauseReason.VERIFYING)}))
    clock, _ = clocks.pause(running(rules), after(10), rules, reason=PauseReason.VERIFYING)
    assert (clock.state, clock.remaining_s, clock.paused_at) == (State.PAUSED, 20, after(10))
    assert clocks.wakes_at(clock, rules) is None
    assert clocks.tick(clock, after(1000), rules)[1] == ()
    clock, _ = clocks.resume(clock, after(100), rules, reason=PauseReason.VERIFYING)
    assert clock.due_at == after(120)
    assert clocks.wakes_at(clock, rules) == after(105) + clocks.INSTANT
    clock, changes = clocks.stop(clock, after(119), rules)
    assert (clock.state, changes[-1].elapsed_s) == (State.MET, 29)


def test_two_reasons_to_pause_both_have_to_end() -> None:
    both = frozenset((Kind.HANDOFF, reason) for reason in (PauseReason.VERIFYING, PauseReason.CUSTOMER_SILENT))
    rules = Rules(targets=RULES.targets, pauses=both)
    clock, _ = clocks.pause(running(rules, Kind.HANDOFF), after(1), rules, reason=PauseReason.VERIFYING)
    clock, _ = clocks.pause(clock, after(2), rules, reason=PauseReason.CUSTOMER_SILENT)
    clock, _ = clocks.resume(clock, after(3), rules, reason=PauseReason.VERIFYING)
    assert clock.state is State.PAUSED
    clock, _ = clocks.resume(clock, after(4), rules, reason=PauseReason.CUSTOMER_SILENT)
    assert (clock.state, clock.due_at) == (State.RUNNING, after(123))


class Mornings:
    """Open every day from 12:00 to 12:01 UTC."""

    def add(self, start: datetime, seconds: float) -> datetime:
        day = start.replace(hour=12, minute=0, second=0, microsecond=0)
        while True:
            begin = max(start, day)
            room = (day + timedelta(seconds=60) - begin).total_seconds()
            if 0 <= seconds <= room:
                return begin + timedelta(seconds=seconds)
            seconds -= max(room, 0)
            day += timedelta(days=1)

    def elapsed(self, start: datetime, end: datetime) -> float:
        total, day = 0.0, start.replace(hour=12, minute=0, second=0, microsecond=0)
        while day < end:
            total += max((min(end, day + timedelta(seconds=60)) - max(start, day)).total_seconds(), 0)
            day += timedelta(days=1)
        return total


def test_business_hours_count_only_where_the_profile_lets_the_clock_pause_outside_them() -> None:
    late = after(50)
    strict = Rules(targets=RULES.targets, calendar=Mornings())
    lenient = Rules(
        targets=RULES.targets,
        calendar=Mornings(),
        pauses=frozenset({(Kind.FIRST_RESPONSE, PauseReason.OUTSIDE_HOURS)}),
    )
    assert clocks.start(Kind.FIRST_RESPONSE, late, strict)[0].due_at == late + timedelta(seconds=30)
    clock = clocks.start(Kind.FIRST_RESPONSE, late, lenient)[0]
    assert clock.due_at == after(20) + timedelta(days=1)
    clock, changes = clocks.stop(clock, after(20) + timedelta(days=1), lenient)
    assert (clock.state, changes[-1].elapsed_s) == (State.MET, 30)


@pytest.mark.parametrize(("seconds", "state"), [(11, State.MET), (12, State.MET), (12.5, State.STOPPED_LATE)])
def test_rings_become_a_deadline_when_none_is_reported(seconds: float, state: State) -> None:
    assert clocks.stop(running(kind=Kind.RINGS), after(seconds), RULES)[0].state is state


def test_rings_are_counted_not_seconds() -> None:
    clock = running(kind=Kind.RINGS)
    for number, at in ((2, 5), (3, 11)):  # slower than the assumed four seconds: the third ring may still be answered
        clock, _ = clocks.ring(clock, after(at), RULES, number=number)
    assert clocks.stop(clock, after(14.9), RULES)[0].state is State.MET
    broken, changes = clocks.ring(clock, after(14.9), RULES, number=4)
    assert (broken.state, changes[-1].what, changes[-1].at) == (State.BREACHED, What.BREACHED, after(14.9))
