"""Business hours: deadlines and elapsed time in every zone, over midnight and over changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from services.policy.calendar import HORIZON_DAYS, Calendar, CalendarExhaustedError, DayKind, Span, overlap
from services.policy.chinese_days import announced_years, china

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "Asia/Shanghai",
            "America/New_York",
            "Europe/Berlin",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "UTC",
        )
    ]
)
# 2026 has both changes of the clocks in each of these zones.
INSTANTS = st.integers(0, 430 * 86400).map(lambda s: datetime(2025, 12, 1, tzinfo=UTC) + timedelta(seconds=s))
SECONDS = st.integers(0, 40 * 24 * 3600)


def office(zone: ZoneInfo = SHANGHAI, *spans: str) -> Calendar:
    """Monday to Friday with a break, or the given spans."""
    day = tuple(Span.parse(text) for text in spans or ("09:00-12:00", "13:30-18:00"))
    return Calendar(zone, weekly=(day,) * 5 + ((),) * 2)


@st.composite
def days(draw: st.DrawFn) -> tuple[Span, ...]:
    """Some spans of one day that do not overlap; the last one may reach into the next day."""
    marks = sorted(draw(st.lists(st.integers(0, 1440 + 240), max_size=6, unique=True)))
    pairs = zip(marks[::2], marks[1::2], strict=False)
    return tuple(Span(start, end) for start, end in pairs if start < 1440)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any calendar whose days do not overlap, open at least once a week."""
    week = tuple(draw(days()) for _ in range(7))
    assume(any(week))
    assume(all(overlap(week[day], week[(day + 1) % 7]) is None for day in range(7)))
    closed = draw(st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.just(()), max_size=5))
    return Calendar(draw(ZONES), weekly=week, exceptions=closed)


def due(calendar: Calendar, start: datetime, seconds: int) -> datetime:
    """The deadline; an example is left out where the calendar says that it opens too rarely, and really does."""
    try:
        return calendar.add(start, seconds)
    except CalendarExhaustedError:
        assert calendar.elapsed(start, start + timedelta(days=HORIZON_DAYS - 1)) < seconds
        reject()


@given(calendars(), INSTANTS, SECONDS)
def test_elapsed_is_the_inverse_of_add(calendar: Calendar, start: datetime, seconds: int) -> None:
    deadline = due(calendar, start, seconds)
    assert calendar.elapsed(start, deadline) == seconds
    assert deadline >= start + timedelta(seconds=seconds)


@given(calendars(), INSTANTS, SECONDS)
def test_a_deadline_is_the_first_instant_at_which_the_time_is_up(
    calendar: Calendar, start: datetime, seconds: int
) -> None:
    assume(seconds > 0)
    deadline = due(calendar, start, seconds)
    just_before = deadline - timedelta(microseconds=1)
    assert calendar.elapsed(start, just_before) < seconds
    assert calendar.is_open(just_before)


@given(calendars(), INSTANTS, st.integers(0, 86400), st.integers(0, 86400))
def test_elapsed_adds_up(calendar: Calendar, start: datetime, first: int, second: int) -> None:
    middle = start + timedelta(seconds=first)
    end = middle + timedelta(seconds=second)
    assert calendar.elapsed(start, middle) + calendar.elapsed(middle, end) == pytest.approx(
        calendar.elapsed(start, end), abs=1e-6
    )
    assert 0 <= calendar.elapsed(start, end) <= first + second


@given(calendars(), INSTANTS, SECONDS, SECONDS)
def test_a_longer_promise_is_due_later(calendar: Calendar, start: datetime, first: int, second: int) -> None:
    shorter, longer = sorted((first, second))
    assert due(calendar, start, shorter) <= due(calendar, start, longer)


@given(ZONES, INSTANTS, SECONDS)
def test_always_open_counts_every_second(zone: ZoneInfo, start: datetime, seconds: int) -> None:
    always = Calendar(zone, always_open=True)
    whole_days = Calendar(zone, weekly=((Span(0, 1440),),) * 7)
    assert always.add(start, seconds) == start + timedelta(seconds=seconds) == whole_days.add(start, seconds)
    assert always.is_open(start)
    assert whole_days.is_open(start)


@given(calendars(), INSTANTS)
def test_open_is_where_time_passes(calendar: Calendar, instant: datetime) -> None:
    instant = instant.replace(microsecond=0)
    passes = calendar.elapsed(instant, instant + timedelta(microseconds=1)) > 0
    assert calendar.is_open(instant) == passes


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """A local time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_a_promise_stands_still_over_the_break_the_night_and_the_weekend() -> None:
    assert office().add(at("2026-03-06T17:59:30"), 60) == at("2026-03-09T09:00:30")
    assert office().add(at("2026-03-05T11:59:00"), 120) == at("2026-03-05T13:31:00")
    assert office().elapsed(at("2026-03-06T17:00:00"), at("2026-03-09T10:00:00")) == 7200


def test_a_promise_that_ends_at_closing_time_is_due_then() -> None:
    assert office().add(at("2026-03-06T17:00:00"), 3600) == at("2026-03-06T18:00:00")


def test_a_span_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    bar = Calendar(SHANGHAI, weekly=((),) * 4 + ((Span.parse("22:00-02:00"),),) + ((),) * 2)  # Fridays
    assert bar.is_open(at("2026-03-07T01:59:59"))
    assert not bar.is_open(at("2026-03-07T02:00:00"))
    assert not bar.is_open(at("2026-03-06T01:00:00"))
    assert bar.add(at("2026-03-06T23:00:00"), 4 * 3600) == at("2026-03-13T23:00:00")


def test_an_exception_wins_over_the_weekday_and_the_holiday() -> None:
    open_day = Calendar(
        SHANGHAI,
        weekly=office().weekly,
        exceptions={date(2026, 2, 17): (Span.parse("10:00-16:00"),), date(2026, 3, 5): ()},
        holidays=china,
    )
    assert open_day.is_open(at("2026-02-17T10:00:00")), "New Year's Day of the lunar year, opened by exception"
    assert not open_day.is_open(at("2026-02-18T10:00:00")), "the day after it is a holiday"
    assert not open_day.is_open(at("2026-03-05T10:00:00")), "a Thursday, closed by exception"


def test_when_clocks_go_forward_the_skipped_hour_does_not_count() -> None:
    night = Calendar(NEW_YORK, weekly=((Span.parse("01:00-04:00"),),) * 7)
    assert night.elapsed(at("2026-03-08T00:00", NEW_YORK), at("2026-03-08T12:00", NEW_YORK)) == 2 * 3600
    inside = Calendar(NEW_YORK, weekly=((Span.parse("02:15-02:45"),),) * 7)
    assert inside.elapsed(at("2026-03-08T00:00", NEW_YORK), at("2026-03-08T12:00", NEW_YORK)) == 0
    across = Calendar(NEW_YORK, weekly=((Span.parse("02:30-04:00"),),) * 7)
    assert across.elapsed(at("2026-03-08T00:00", NEW_YORK), at("2026-03-08T12:00", NEW_YORK)) == 3600


def test_when_clocks_go_back_the_repeated_hour_counts_twice() -> None:
    night = Calendar(NEW_YORK, weekly=((Span.parse("00:00-03:00"),),) * 7)
    assert night.elapsed(at("2026-11-01T00:00", NEW_YORK), at("2026-11-01T12:00", NEW_YORK)) == 4 * 3600


def test_chinese_holidays_exchange_working_days() -> None:
    assert china(date(2026, 2, 17)) is DayKind.HOLIDAY, "Spring Festival"
    assert china(date(2026, 2, 14)) is DayKind.EXCHANGED, "the Saturday before it is worked"
    assert china(date(2026, 3, 4)) is DayKind.ORDINARY
    working = Calendar(SHANGHAI, weekly=office().weekly, holidays=china)
    assert working.is_open(at("2026-02-14T10:00:00")), "opens like a Monday"
    assert working.add(at("2026-02-14T17:59:00"), 120) == at("2026-02-24T09:01:00"), "next open after nine days off"


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_announced_years_have_as_many_days_off_as_the_law_gives(year: int) -> None:
    assert year in announced_years()
    dates = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    exchanged = [day for day in dates if china(day) is DayKind.EXCHANGED]
    freed = [day for day in dates if china(day) is DayKind.HOLIDAY and day.weekday() < 5]
    assert exchanged
    assert all(day.weekday() >= 5 for day in exchanged)
    assert len(freed) - len(exchanged) >= 9, "weekdays off beyond those worked in exchange"


def test_a_year_that_is_not_announced_has_its_statutory_days() -> None:
    later = announced_years()[-1] + 1
    assert china(date(later, 10, 1)) is DayKind.HOLIDAY
    assert china(date(later, 1, 1)) is DayKind.HOLIDAY
    assert DayKind.EXCHANGED not in {china(date(later, 1, 1) + timedelta(days=n)) for n in range(365)}


def test_a_calendar_that_never_opens_is_said_so() -> None:
    with pytest.raises(CalendarExhaustedError, match="fewer than 1 open seconds"):
        Calendar(SHANGHAI).add(at("2026-01-01T00:00"), 1)
    assert Calendar(SHANGHAI).elapsed(at("2026-01-01T00:00"), at("2026-02-01T00:00")) == 0


def test_a_negative_length_is_refused_and_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="negative"):
        office().add(at("2026-01-01T00:00"), -1)
    assert office().elapsed(at("2026-03-06T12:00"), at("2026-03-05T12:00")) == 0


@pytest.mark.parametrize(
    ("text", "start", "end"), [("00:00-24:00", 0, 1440), ("22:00-02:00", 1320, 1560), ("18:00-00:00", 1080, 1440)]
)
def test_spans_are_read_and_written(text: str, start: int, end: int) -> None:
    span = Span.parse(text)
    assert (span.start, span.end) == (start, end)
    assert Span.parse(str(span)) == span
