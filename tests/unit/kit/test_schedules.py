"""When recurring jobs fall due: wall time, daylight saving, missed periods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.kit.db import Transaction
from services.kit.schedules import Misfire, Schedule, chosen

NEW_YORK = "America/New_York"


async def nothing(_period: datetime, _tx: Transaction) -> None:
    """A job for rules that are only asked when."""


def schedule(rule: str, zone: str = "UTC", misfire: Misfire = Misfire.RUN_LATEST) -> Schedule:
    return Schedule("job", rule, nothing, zone=zone, misfire=misfire)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "zone", "after", "expected"),
    [
        ("FREQ=DAILY;BYHOUR=8;BYMINUTE=30;BYSECOND=0", "Asia/Shanghai", "2026-11-22T00:29", "2026-11-22T00:30"),
        ("FREQ=DAILY;BYHOUR=8;BYMINUTE=30;BYSECOND=0", "Asia/Shanghai", "2026-11-22T00:30", "2026-11-23T00:30"),
        ("FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "UTC", "2026-11-22T10:00", "2026-11-23T09:00"),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
            "UTC",
            "2026-11-22T10:00",
            "2026-11-30T09:00",
        ),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=0;BYMINUTE=0;BYSECOND=0", "UTC", "2026-11-01T00:00", "2026-12-31T00:00"),
        ("FREQ=MINUTELY;INTERVAL=15;BYSECOND=0", "UTC", "2026-11-22T10:07", "2026-11-22T10:15"),
        ("FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0", "UTC", "1999-02-01T09:00", "1999-02-02T08:00"),
        # skipped by daylight saving: as much later as the clock jumps, on that day only
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", NEW_YORK, "2026-03-07T12:00", "2026-03-08T07:30"),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", NEW_YORK, "2026-03-08T07:30", "2026-03-09T06:30"),
        # twice on that day: the first time, once
        ("FREQ=DAILY;BYHOUR=1;BYMINUTE=30;BYSECOND=0", NEW_YORK, "2026-11-01T00:00", "2026-11-01T05:30"),
        ("FREQ=DAILY;BYHOUR=1;BYMINUTE=30;BYSECOND=0", NEW_YORK, "2026-11-01T05:30", "2026-11-02T06:30"),
    ],
)
def test_the_next_period(rule: str, zone: str, after: str, expected: str) -> None:
    assert schedule(rule, zone).after(at(after)) == at(expected)


def test_a_rule_that_ends() -> None:
    assert schedule("FREQ=DAILY;UNTIL=20200101T000000").after(at("2026-01-01T00:00")) is None


def test_every_hour_happens_across_the_change() -> None:
    hourly = schedule("FREQ=HOURLY;BYMINUTE=0;BYSECOND=0", NEW_YORK)
    spring = hourly.missed(at("2026-03-08T05:00"), at("2026-03-08T10:00"))
    assert spring == [at("2026-03-08T05:00") + timedelta(hours=n) for n in range(6)]


def test_what_was_missed_and_what_of_it_is_run() -> None:
    rule = "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0"
    due, now = at("2026-11-20T08:00"), at("2026-11-22T09:00")
    missed = schedule(rule).missed(due, now)
    assert missed == [at("2026-11-20T08:00"), at("2026-11-21T08:00"), at("2026-11-22T08:00")]
    assert chosen(schedule(rule, misfire=Misfire.RUN_ALL), missed, now) == missed
    assert chosen(schedule(rule, misfire=Misfire.RUN_LATEST), missed, now) == missed[-1:]
    assert chosen(schedule(rule, misfire=Misfire.SKIP), missed, now) == []
    in_time = at("2026-11-22T08:04")
    assert chosen(schedule(rule, misfire=Misfire.SKIP), missed, in_time) == missed[-1:]
