from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.period import day_before
from services.crm.domain.tiers import Bar, Measures, Rules, Standing, cutoff, judge

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GRACE = timedelta(days=30)
VIP = Bar("VIP", 0, 1_000_000, 12, 24)
CORE = Bar("CORE", 0, 200_000, 4, 8)
RULES = Rules((VIP, CORE), ("P1Y",), "ORDINARY", tolerance=0.1, grace=GRACE)
measured = st.builds(Measures, st.integers(0, 2_000_000), st.integers(0, 30), st.integers(0, 60), st.integers(-1, 400))


def test_a_customer_rises_at_once() -> None:
    move = judge(Standing("ORDINARY"), [Measures(1_000_000, 12, 24, 3)], RULES, {}, NOW)
    assert move is not None
    assert (move.after, move.cause) == (Standing("VIP"), "RAISED")


@pytest.mark.parametrize(
    ("spend", "cause"), [(200_000, None), (180_000, None), (179_999, "WARNED")], ids=["met", "tolerated", "missed"]
)
def test_a_tier_is_kept_within_the_tolerance_and_warned_of_below_it(spend: int, cause: str | None) -> None:
    move = judge(Standing("CORE"), [Measures(spend, 4, 8, 3)], RULES, {}, NOW)
    assert (move and move.cause) == cause
    if move is not None:
        assert move.after == Standing("CORE", NOW + GRACE)


def test_a_tier_is_lost_only_when_the_days_of_grace_have_passed() -> None:
    warned, poor = Standing("CORE", NOW + GRACE), [Measures(1, 1, 1, 300)]
    assert judge(warned, poor, RULES, {}, NOW + GRACE - timedelta(seconds=1)) is None
    lost = judge(warned, poor, RULES, {}, NOW + GRACE)
    assert lost is not None
    assert (lost.before, lost.after, lost.cause) == ("CORE", Standing("ORDINARY"), "LOWERED")
    saved = judge(warned, [Measures(250_000, 5, 9, 1)], RULES, {}, NOW)
    assert saved is not None
    assert (saved.after, saved.cause) == (Standing("CORE"), "RECOVERED")


@given(measured, st.sampled_from(["VIP", "CORE", "ORDINARY"]))
def test_judging_twice_changes_nothing_more(measures: Measures, tier: str) -> None:
    first = judge(Standing(tier), [measures], RULES, {}, NOW)
    assert first is None or judge(first.after, [measures], RULES, {}, NOW) is None


def test_recency_and_the_top_share_are_bars_too() -> None:
    bar = Bar("TOP", 0, 0, 0, 0, max_recency=30, top_share=0.5)
    line = cutoff([0, 100, 200, 300, 400], 0.5)
    assert line == 300
    assert bar.met(Measures(300, 1, 1, 30), line)
    assert not bar.met(Measures(299, 1, 1, 30), line)
    assert not bar.met(Measures(300, 1, 1, 31), line)
    assert not bar.met(Measures(300, 1, 1, -1), line)
    assert cutoff([0, 0], 0.5) is None


def test_windows_follow_the_calendar() -> None:
    assert day_before(date(2024, 2, 29), "P1Y") == date(2023, 2, 28)
    assert day_before(date(2026, 3, 31), "P1M") == date(2026, 2, 28)
    with pytest.raises(ValueError, match="no period"):
        day_before(date(2026, 1, 1), "1 year")
