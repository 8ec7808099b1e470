"""Pools are shared out to the last fen, pay is split as agreed, reviews are assigned fairly."""

from __future__ import annotations

import itertools
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.qa.domain import period
from services.qa.domain.assignment import Sample, assign
from services.qa.domain.bonus import annual_award, distribute, pool_of, split
from services.qa.domain.peers import composite, dimension, normal, peer_mean


@given(
    st.integers(0, 10**12),
    st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.floats(0, 1e6), min_size=1, max_size=40),
)
def test_a_pool_is_shared_out_to_the_last_fen(pool: int, shares: dict[str, float]) -> None:
    parts = distribute(pool, shares)
    some = any(round(share * 1e6) for share in shares.values())
    assert sum(parts.values()) == (pool if some else 0) or not some
    assert all(part >= 0 for part in parts.values())
    ordered = sorted(shares, key=lambda person: shares[person])
    assert all(parts[a] <= parts[b] + 1 for a, b in itertools.pairwise(ordered))


def test_the_pool_moves_with_the_goal() -> None:
    assert [pool_of(1_000_00, reached) for reached in (0, 0.5, 1, 1.2)] == [0, 50_000, 100_000, 120_000]
    with pytest.raises(ValueError, match="negative"):
        pool_of(-1, 1)


def test_pay_is_six_to_four_and_the_bonus_alone_moves() -> None:
    full = split(10_000_00, base=6, performance=4, factor=1.0)
    assert (full.base_fen, full.performance_fen, full.total_fen) == (600_000, 400_000, 1_000_000)
    poor = split(10_000_00, base=6, performance=4, factor=0.5)
    assert (poor.base_fen, poor.performance_fen) == (600_000, 200_000)
    assert annual_award(1_234_56, 3) == 370_368


@given(st.integers(0, 10**9), st.floats(0, 2))
def test_no_fen_is_lost_in_the_split(total: int, factor: float) -> None:
    assert split(total, base=6, performance=4, factor=1.0).total_fen == total
    assert split(total, base=6, performance=4, factor=factor).base_fen == total * 6 // 10


PEOPLE = ("ann", "bob", "cat", "dan")
TEAMS = {"ann": "day", "bob": "day", "cat": "night", "dan": "night"}


@given(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=40), st.booleans())
def test_reviews_are_balanced_and_nobody_reviews_themselves(whose: list[str], own_team: bool) -> None:
    samples = [Sample(f"r{number}", person, TEAMS[person]) for number, person in enumerate(whose)]
    given_ = assign(samples, dict.fromkeys(PEOPLE, 0), teams=TEAMS, own_team=own_team)
    for sample in samples:
        reviewer = given_[sample.recording]
        assert reviewer is not None
        assert reviewer != sample.person
        assert own_team or TEAMS[reviewer] != sample.team
    assert given_ == assign(samples, dict.fromkeys(PEOPLE, 0), teams=TEAMS, own_team=own_team)


def test_load_is_levelled_and_whoever_may_not_is_passed_over() -> None:
    samples = [Sample(f"r{number}", "ann") for number in range(30)]
    given_ = assign(samples, {"bob": 12, "cat": 0, "dan": 0}, teams={}, own_team=True)
    held = {one: list(given_.values()).count(one) for one in ("bob", "cat", "dan")}
    assert held["bob"] + 12 == pytest.approx(14)
    assert held["cat"] == pytest.approx(held["dan"], abs=1)
    barred = {"r0": {"bob", "cat", "dan"}}
    assert assign(samples[:1], {"bob": 0, "cat": 0, "dan": 0}, teams={}, own_team=True, excluded=barred) == {"r0": None}


def test_colleagues_stay_unnamed_by_number() -> None:
    ratings = {"ann": 10.0, "bob": 8.0, "cat": 6.0}
    assert peer_mean(ratings, person="ann", least=3).mean is None
    assert peer_mean(ratings, person="ann", least=2).mean == 7
    assert peer_mean(ratings, person="dan", least=3).mean == 8


def test_parts_make_a_whole_only_when_all_are_there() -> None:
    weights = {"DATA": 60.0, "REVIEWS": 20.0, "SUPERVISOR": 20.0}
    assert composite({"DATA": 1.0, "REVIEWS": 0.5, "SUPERVISOR": 0.5}, weights) == pytest.approx(80)
    assert composite({"DATA": 1.0, "REVIEWS": None, "SUPERVISOR": 1.0}, weights) is None
    assert normal(5.5, 1, 10) == pytest.approx(0.5)
    assert dimension({"initiative": 6, "responsibility": 8}, ("initiative", "responsibility")) == 7
    assert dimension({"initiative": 6}, ("initiative", "responsibility")) is None


def test_periods_are_calendar_months_and_quarters_of_the_site() -> None:
    assert period.before(date(2026, 1, 1), period.MONTH).id == "2025-12"
    assert period.before(date(2026, 1, 31), period.QUARTER).id == "2025-Q4"
    quarter = period.parse("2026-Q4")
    assert (quarter.first, quarter.end) == (date(2026, 10, 1), date(2027, 1, 1))
    assert quarter.months == ("2026-10", "2026-11", "2026-12")
    assert quarter.ends_at(ZoneInfo("Asia/Shanghai")).isoformat() == "2026-12-31T16:00:00+00:00"
    for wrong in ("2026-13", "2026-Q5", "0000-01", "2026", "2026-1"):
        with pytest.raises(ValueError, match="no period"):
            period.parse(wrong)
