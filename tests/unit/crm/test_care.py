"""Occasions, standing, tasks, surveys, indicators, life cycles."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain import cycles
from services.crm.domain.churn import Bars, Judge, Lifecycle, standing
from services.crm.domain.contact import Cause, Signals, cause_of
from services.crm.domain.cycles import Act
from services.crm.domain.loyalty import Counts, indicators
from services.crm.domain.occasions import Birthday, LeapDay, birthday_key, celebrated_on, first_days, holiday_key
from services.crm.domain.survey import Invitation, Reminding, Scale, reminder_due, report
from services.kit.errors import FailedPrecondition

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@given(
    st.integers(1, 12),
    st.integers(1, 31),
    st.integers(1990, 2100),
    st.sampled_from(LeapDay),
)
def test_every_birthday_is_greeted_once_in_every_year(month: int, day: int, year: int, leap_day: LeapDay) -> None:
    try:
        born = Birthday(month, day)
    except ValueError:
        return
    days = [date(year, 1, 1) + DAY * number for number in range(366)]
    greeted = [one for one in days if one.year == year and born in celebrated_on(one, leap_day)]
    assert greeted == [born.in_year(year, leap_day)]


def test_the_29th_of_february() -> None:
    leap = Birthday(2, 29)
    assert celebrated_on(date(2028, 2, 29), LeapDay.FEB_28) == [leap]
    assert celebrated_on(date(2028, 2, 28), LeapDay.FEB_28) == [Birthday(2, 28)]
    assert celebrated_on(date(2027, 2, 28), LeapDay.FEB_28) == [Birthday(2, 28), leap]
    assert celebrated_on(date(2027, 3, 1), LeapDay.MAR_1) == [Birthday(3, 1), leap]
    assert celebrated_on(date(2100, 2, 28), LeapDay.FEB_28) == [Birthday(2, 28), leap]


@pytest.mark.parametrize(("month", "day"), [(2, 30), (13, 1), (4, 31), (0, 1)])
def test_a_day_that_never_comes_is_no_birthday(month: int, day: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Birthday(month, day)


def test_holidays_are_greeted_on_their_first_day() -> None:
    spring = {date(2026, 2, 17) + DAY * number: "春节" for number in range(3)}
    assert first_days({**spring, date(2026, 5, 1): "劳动节"}) == {date(2026, 2, 17): "春节", date(2026, 5, 1): "劳动节"}
    assert birthday_key(date(2026, 2, 17)) == "birthday/2026"
    assert holiday_key("SPRING", date(2026, 2, 17)) == "holiday/SPRING/2026"


BARS = Bars(lost_after_d=180)


@pytest.mark.parametrize(
    ("orders", "silent", "p_alive", "lifecycle", "judge"),
    [
        (1, 5, 1.0, Lifecycle.NEW, Judge.RULE),
        (2, 5, 0.9, Lifecycle.REPEAT, Judge.RULE),
        (3, 5, 0.9, Lifecycle.OLD, Judge.RHYTHM),
        (12, 40, 0.4, Lifecycle.DORMANT, Judge.RHYTHM),
        (12, 60, 0.1, Lifecycle.LOST, Judge.RHYTHM),
        (3, 200, 0.8, Lifecycle.OLD, Judge.RHYTHM),
        (1, 90, 1.0, Lifecycle.DORMANT, Judge.RULE),
        (1, 180, 1.0, Lifecycle.LOST, Judge.RULE),
        (9, 180, None, Lifecycle.LOST, Judge.RULE),
    ],
)
def test_the_rhythm_decides_where_there_is_one(
    orders: int, silent: float, p_alive: float | None, lifecycle: Lifecycle, judge: Judge
) -> None:
    found = standing(orders=orders, silent_d=silent, p_alive=p_alive, bars=BARS)
    assert (found.lifecycle, found.judge) == (lifecycle, judge)


def test_the_plain_rule_stands_beside_the_rhythm() -> None:
    assert standing(orders=3, silent_d=200, p_alive=0.8, bars=BARS).by_rule is Lifecycle.LOST
    with pytest.raises(ValueError, match="never bought"):
        standing(orders=0, silent_d=1, p_alive=None, bars=BARS)


@pytest.mark.parametrize(
    ("lifecycle", "silent_d", "returns", "low", "cause"),
    [
        (Lifecycle.OLD, 30, 0, 0, Cause.ROUTINE),
        (Lifecycle.OLD, 29, 0, 0, None),
        (Lifecycle.OLD, 1, 1, 0, Cause.RETURNS),
        (Lifecycle.OLD, 1, 1, 1, Cause.LOW_RATING),
        (Lifecycle.DORMANT, 1, 0, 0, Cause.INACTIVITY),
        (Lifecycle.NEW, 90, 1, 1, None),
        (Lifecycle.LOST, 400, 1, 1, None),
    ],
)
def test_who_is_to_be_contacted(
    lifecycle: Lifecycle, silent_d: int, returns: int, low: int, cause: Cause | None
) -> None:
    signals = Signals(lifecycle, NOW - DAY * silent_d, returns, low)
    assert cause_of(signals, interval=DAY * 30, now=NOW) is cause


def test_reminders_stop_at_the_answer_and_at_the_limit() -> None:
    rule = Reminding(after=DAY * 3, most=2)
    assert not reminder_due(Invitation(NOW - DAY * 2, 0, None, answered=False), rule, NOW)
    assert reminder_due(Invitation(NOW - DAY * 3, 0, None, answered=False), rule, NOW)
    assert not reminder_due(Invitation(NOW - DAY * 9, 1, NOW - DAY, answered=False), rule, NOW)
    assert not reminder_due(Invitation(NOW - DAY * 9, 2, NOW - DAY * 4, answered=False), rule, NOW)
    assert not reminder_due(Invitation(NOW - DAY * 9, 0, None, answered=True), rule, NOW)


def test_a_surveys_report() -> None:
    found = report(10, [5, 4, 4, 1], Scale(1, 5, 4))
    assert (found.answered, found.mean, found.response.estimate, found.satisfied.estimate) == (4, 3.5, 0.4, 0.75)
    assert found.distribution == {1: 1, 2: 0, 3: 0, 4: 2, 5: 1}
    empty = report(0, [], Scale(1, 5, 4))
    assert (empty.mean, empty.satisfied.low, empty.satisfied.high) == (None, 0.0, 1.0)
    with pytest.raises(ValueError, match="scale"):
        Scale(1, 5, 6)


def test_the_indicators() -> None:
    found = indicators(Counts(buyers=10, repeaters=4, returning=5, newcomers=8, converted=2, complaints=3))
    shares = (found.repurchase_rate, found.returning_share, found.new_customer_conversion)
    assert [share and share.estimate for share in shares] == [0.4, 0.5, 0.25]
    assert found.complaints == 3


def test_there_is_no_share_of_nobody() -> None:
    found = indicators(Counts(buyers=0, repeaters=0, returning=0, newcomers=0, converted=0, complaints=0))
    assert (found.repurchase_rate, found.returning_share, found.new_customer_conversion) == (None, None, None)


@pytest.mark.parametrize(
    ("machine", "state", "transition", "act", "reason"),
    [
        (cycles.CAMPAIGN, "DRAFT", "approve", Act("ann", author="ann"), "SAME_PERSON"),
        (cycles.CAMPAIGN, "SCHEDULED", "begin", Act("timer", audience=0), "EMPTY_AUDIENCE"),
        (cycles.CAMPAIGN, "RUNNING", "cancel", Act("ann"), "REASON_MISSING"),
        (cycles.WIN_BACK, "DETECTED", "plan", Act("ann", reason="PRICE", offer="x", held_back=True), "HELD_BACK"),
        (cycles.WIN_BACK, "DETECTED", "plan", Act("ann", offer="COUPON"), "REASON_MISSING"),
        (cycles.WIN_BACK, "DETECTED", "plan", Act("ann", reason="PRICE"), "OFFER_MISSING"),
        (cycles.WIN_BACK, "PLANNED", "contact", Act("ann"), "NOTE_MISSING"),
        (
            cycles.WIN_BACK,
            "CONTACTED",
            "contact",
            Act("ann", note="x", attempts=3, most_attempts=3),
            "ATTEMPTS_USED_UP",
        ),
        (cycles.TASK, "DUE", "complete", Act("ann", note=" "), "NOTE_MISSING"),
        (cycles.TASK, "DUE", "skip", Act("ann"), "REASON_MISSING"),
        (cycles.COMMITMENT, "OPEN", "keep", Act("ann"), "NOTE_MISSING"),
        (cycles.REQUEST, "VERIFIED", "fulfil", Act("ann", author="ann"), "SAME_PERSON"),
        (cycles.REQUEST, "OPEN", "refuse", Act("ann"), "REASON_MISSING"),
    ],
)
def test_what_the_cycles_refuse(machine: object, state: str, transition: str, act: Act, reason: str) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        machine.apply(state, transition, act)  # type: ignore[attr-defined]
    assert refused.value.metadata["guard"] == reason


def test_a_purchase_wins_back_also_those_held_back() -> None:
    assert cycles.WIN_BACK.apply("DETECTED", "return", Act("timer", held_back=True)).to_state == "WON_BACK"
    with pytest.raises(FailedPrecondition):
        cycles.WIN_BACK.apply("LOST", "contact", Act("ann", note="x", most_attempts=3))
