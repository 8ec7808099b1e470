from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.staffing.domain.presence import ONLINE, Span, State, day_start, online_seconds

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_the_day_begins_at_the_site_s_midnight() -> None:
    assert day_start(NOW, SHANGHAI) == datetime(2026, 3, 1, 16, tzinfo=UTC)
    late = datetime(2026, 3, 1, 15, 59, tzinfo=UTC)
    assert day_start(late, SHANGHAI) == datetime(2026, 2, 28, 16, tzinfo=UTC)


def test_only_available_and_busy_count_and_only_today() -> None:
    start = day_start(NOW, SHANGHAI)
    spans = [
        Span(State.AVAILABLE, start - timedelta(hours=1), start + timedelta(hours=1)),
        Span(State.BREAK, start + timedelta(hours=1), start + timedelta(hours=2)),
        Span(State.BUSY, start + timedelta(hours=2), start + timedelta(hours=2, seconds=30)),
        Span(State.AVAILABLE, NOW - timedelta(seconds=10), None),
    ]
    assert online_seconds(spans, start=start, now=NOW) == 3600 + 30 + 10


@given(st.lists(st.tuples(st.sampled_from(State), st.integers(1, 5000)), max_size=30))
def test_online_time_is_the_sum_of_online_spans(steps: list[tuple[State, int]]) -> None:
    start, at, spans = NOW, NOW, []
    for state, seconds in steps:
        spans.append(Span(state, at, at + timedelta(seconds=seconds)))
        at += timedelta(seconds=seconds)
    expected = sum(seconds for state, seconds in steps if state in ONLINE)
    assert online_seconds(spans, start=start, now=at) == expected
