"""Clocks: following the database, standing still, never naive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.kit.clock import DatabaseClock, SystemClock, VirtualClock

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def observed() -> tuple[DatabaseClock, Monotonic]:
    monotonic = Monotonic()
    clock = DatabaseClock(monotonic=monotonic)
    clock.observe(NOON, asked=999.9, answered=1_000.1)
    return clock, monotonic


def test_it_follows_the_database_from_the_middle_of_the_question() -> None:
    clock, monotonic = observed()
    assert clock.now() == NOON
    monotonic.seconds += 90
    assert clock.now() == NOON + timedelta(seconds=90)
    assert clock.now().tzinfo is UTC


def test_a_small_correction_holds_it_still_until_the_time_has_come() -> None:
    clock, monotonic = observed()
    clock.now()
    clock.observe(NOON - timedelta(milliseconds=500), asked=1_000.0, answered=1_000.0)
    assert clock.now() == NOON
    monotonic.seconds += 0.25
    assert clock.now() == NOON
    monotonic.seconds += 0.5
    assert clock.now() == NOON + timedelta(milliseconds=250)


def test_a_jump_of_the_database_is_followed_both_ways() -> None:
    clock, _ = observed()
    clock.now()
    clock.observe(NOON - timedelta(hours=1), asked=1_000.0, answered=1_000.0)
    assert clock.now() == NOON - timedelta(hours=1)
    clock.observe(NOON + timedelta(hours=1), asked=1_000.0, answered=1_000.0)
    assert clock.now() == NOON + timedelta(hours=1)


def test_before_the_first_reading_it_is_the_machines() -> None:
    assert abs(DatabaseClock().now() - SystemClock().now()) < timedelta(seconds=5)


def test_a_virtual_clock_only_moves_forward_and_in_utc() -> None:
    clock = VirtualClock(NOON.astimezone(timezone(timedelta(hours=8))))
    assert clock.now().isoformat() == "2026-03-08T12:00:00+00:00"
    clock.move(NOON - timedelta(days=1))
    assert clock.now() == NOON
    clock.move(NOON + timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)
    with pytest.raises(ValueError, match="time zone"):
        clock.move(datetime(2026, 3, 8))  # noqa: DTZ001 - that is the point
