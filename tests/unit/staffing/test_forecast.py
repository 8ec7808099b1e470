"""Forecasts of a queue whose truth is known."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from services.policy.calendar import DayKind
from services.policy.chinese_days import china
from services.staffing.domain.forecast.backtest import backtest, plain_table
from services.staffing.domain.forecast.days import EXCHANGED, HOLIDAY, OpenDays
from services.staffing.domain.forecast.events import Event
from services.staffing.domain.forecast.history import History
from services.staffing.domain.forecast.model import HistoryTooShortError, expect
from services.staffing.domain.forecast.outlook import Today, outlook
from services.staffing.domain.forecast.spread import spread
from tests.unit.staffing.contacts import LEVEL, SLOTS, WEEKDAYS, expected, history, holidays, weekdays


def test_a_steady_queue_is_forecast_to_its_noise() -> None:
    days = weekdays(70)
    known = history(days[:60])
    found = expect(known, days[60:], OpenDays.learn(known.days))
    truth = np.array([expected(day) for day in days[60:]])
    assert np.abs(found.contacts - truth).sum() / truth.sum() < 0.03  # counting alone makes 12 % a slot
    assert found.handling == pytest.approx(np.full(truth.shape, 200.0), rel=0.03)


def test_a_new_level_is_followed() -> None:
    days = weekdays(61)
    known = history(days[:60], lift=lambda day: 1.5 if day >= days[50] else 1.0)
    found = expect(known, days[60:], OpenDays.learn(known.days))
    assert found.contacts.sum() == pytest.approx(1.5 * LEVEL * WEEKDAYS[days[60].weekday()], rel=0.1)


def test_the_backtest_sees_nothing_later() -> None:
    known = history(weekdays(50))
    changed = dataclasses.replace(known, counts=np.vstack([known.counts[:40], known.counts[40:] * 3]))
    before, after = backtest(known, 3), backtest(changed, 3)
    assert before.at(1)[:41] == pytest.approx(after.at(1)[:41], nan_ok=True)
    assert before.at(3)[:43] == pytest.approx(after.at(3)[:43], nan_ok=True)
    assert not np.allclose(before.at(1)[41:], after.at(1)[41:])


def test_plain_forecasts_are_made_from_what_was_known() -> None:
    known = history(weekdays(60))
    changed = dataclasses.replace(known, counts=np.vstack([known.counts[:59], known.counts[59:] * 0 + 7]))
    naive = np.abs(known.counts[54] - 7).sum() / (7 * len(SLOTS)) * 100
    assert plain_table(changed, 1, 1)["seasonal naive"] == pytest.approx(naive)
    assert plain_table(changed, 5, 1)["seasonal naive"] == pytest.approx(naive)
    assert plain_table(changed, 6, 1)["seasonal naive"] != pytest.approx(naive)


def test_intervals_cover_what_they_say() -> None:
    known = history(weekdays(160))
    test = backtest(known, 5, origins=130)
    inside = []
    for row in range(120, 160):
        low, high = spread(test.until(row - 4), 5).quantiles(test.at(5)[row], (0.1, 0.9))
        inside.append(((known.counts[row] >= low) & (known.counts[row] <= high)).mean())
    assert 0.76 < np.mean(inside) < 0.90  # whole numbers make a discrete interval a little wider


def test_todays_first_hours_move_the_rest() -> None:
    days = weekdays(61)
    known = history(days[:60], lift=lambda day: 1 + 0.08 * np.sin(7.3 * day.toordinal()))
    usual = outlook(known, 1, kinds=holidays())
    busy = known.counts[0] * 0 + expected(days[60]) * 1.3
    moved = outlook(known, 1, kinds=holidays(), today=Today(days[60], busy[:12]))
    rest = [one.mean for one in moved.intervals if one.start.date() == days[60]]
    assert len(rest) == len(SLOTS) - 12
    assert sum(rest) > 1.1 * sum(one.mean for one in usual.intervals[12 : len(SLOTS)])


def test_a_holiday_is_closed_and_the_week_after_it_begins_on_its_tuesday() -> None:
    monday, other = date(2026, 5, 25), date(2026, 4, 6)
    kinds = holidays(monday, other)
    days = weekdays(58, closed=frozenset({monday, other}))
    known = history(days, lift=lambda day: 1.25 if day == other + timedelta(days=1) else 1.0)
    opened = OpenDays.learn(known.days, kinds)
    assert days[-1] < monday
    assert monday not in opened.following(days[-1], 5)
    tuesday = monday + timedelta(days=1)
    assert opened.kind_class(tuesday) == 0
    assert opened.effects(tuesday)[0]
    after, plain = (
        expect(known, [tuesday], OpenDays.learn(known.days, one)).contacts.sum() for one in (kinds, holidays())
    )
    assert after > 1.1 * plain


def test_exchanged_days_are_worked_and_holidays_may_be() -> None:
    days = tuple(
        date(2025, 9, 1) + timedelta(days=n) for n in range(27) if (date(2025, 9, 1) + timedelta(days=n)).weekday() < 5
    )
    opened = OpenDays.learn(days, china)
    sunday, national = date(2025, 9, 28), date(2025, 10, 1)
    assert china(sunday) is DayKind.EXCHANGED
    assert opened.is_open(sunday)
    assert opened.kind_class(sunday) == EXCHANGED
    assert not opened.is_open(national)
    assert opened.following(date(2025, 9, 30), 1) == (date(2025, 10, 9),)
    always = tuple(date(2025, 9, 1) + timedelta(days=n) for n in range(60))
    opened = OpenDays.learn(always, china)
    assert opened.kind_class(national) == HOLIDAY
    assert opened.is_open(date(2026, 1, 1))


def test_an_announced_event_repeats_what_its_kind_did() -> None:
    days = weekdays(61)
    lives = [
        Event(
            "live",
            datetime.combine(day, datetime.min.time()) + timedelta(hours=14),
            datetime.combine(day, datetime.min.time()) + timedelta(hours=16),
        )
        for day in (days[20], days[35], days[50], days[60])
    ]
    during = [n for n, slot in enumerate(SLOTS) if 14 * 60 <= slot < 16 * 60]
    known = history(days[:60])
    counts = known.counts.copy()
    for row in (20, 35, 50):
        counts[np.ix_([row], during)] *= 2
    known = dataclasses.replace(known, counts=counts)
    with_live, without = (outlook(known, 1, kinds=holidays(), events=one) for one in (lives, lives[:3]))
    lifts = [a.mean / b.mean for a, b in zip(with_live.intervals, without.intervals, strict=True)]
    assert lifts[0] == pytest.approx(1.0)
    assert lifts[during[0]] == pytest.approx(2 ** (3 / 4), rel=0.1)  # three past ones, and one guess of nothing
    width = [one.quantiles[2] - one.quantiles[0] for one in with_live.intervals]
    assert width[during[0]] > 1.5 * width[during[0] - 1]
    assert without.intervals[during[0]].mean == pytest.approx(expected(days[60])[during[0]], rel=0.15)


def test_a_planners_guess_counts_where_nothing_is_known() -> None:
    days = weekdays(41)
    start = datetime.combine(days[40], datetime.min.time())
    guess = [Event("opening", start, start + timedelta(days=1), lift=1.5)]
    found, usual = (outlook(history(days[:40]), 1, kinds=holidays(), events=one) for one in (guess, []))
    assert found.intervals[3].mean == pytest.approx(1.5 * usual.intervals[3].mean)


def test_quiet_queues_and_short_days_are_forecast_too() -> None:
    days = weekdays(40)
    random = np.random.default_rng(5)
    quiet = History(days, (540, 555), 15, random.poisson(0.2, (40, 2)).astype(float), np.full((40, 2), np.nan))
    found = outlook(quiet, 3, kinds=holidays())
    assert all(0 < one.mean < 2 and one.handling is None for one in found.intervals)
    assert all(one.quantiles[0] <= one.quantiles[1] <= one.quantiles[2] for one in found.intervals)


def test_a_weekday_that_closes_early_is_forecast_closed() -> None:
    days = weekdays(60)
    known = history(days)
    fridays, afternoon = [n for n, day in enumerate(days) if day.weekday() == 4], slice(16, None)
    counts = known.counts.copy()
    counts[fridays, afternoon] = 0
    known = dataclasses.replace(known, counts=counts)
    ahead = [day for day in weekdays(70)[60:] if day.weekday() == 4][:1]
    assert expect(known, ahead, OpenDays.learn(days)).contacts[0, afternoon].sum() == 0


def test_ten_days_are_needed() -> None:
    with pytest.raises(HistoryTooShortError, match="9 open days"):
        outlook(history(weekdays(9)), 3, kinds=holidays())
