"""Intervals hold what they promise, in simulation; whoever they cannot part is not ranked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from services.qa.domain.intervals import (
    Estimate,
    Spread,
    Stratum,
    chance_to_find,
    mean_of,
    share_of,
    shrink,
    spread,
)
from services.qa.domain.ranking import rank

BOUNDS = (1.0, 10.0)


def people(random: np.random.Generator, shape: str) -> list[NDArray[np.float64]]:
    """Forty people's scores of all their recordings, one decimal, on 1 to 10."""
    means = random.normal(7, 0.8, 40)
    sizes = random.integers(12, 120, 40)
    if shape == "even":
        drawn = [random.normal(mean, 1.2, size) for mean, size in zip(means, sizes, strict=True)]
    else:  # most are good, some are not
        drawn = [mean + 1 - random.gamma(1.5, 0.9, size) for mean, size in zip(means, sizes, strict=True)]
    return [np.clip(np.round(one, 1), *BOUNDS) for one in drawn]


@pytest.mark.parametrize("shape", ["even", "skewed"])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_mean_interval_covers_at_its_nominal_rate(shape: str, level: float) -> None:
    random = np.random.default_rng(20261125)
    covered, tried = 0, 0
    for _ in range(60):
        all_scores = people(random, shape)
        samples = [random.choice(one, 5, replace=False) for one in all_scores]
        within = spread([one.tolist() for one in samples])
        for scores, sample in zip(all_scores, samples, strict=True):
            estimate = mean_of([Stratum(len(scores), tuple(sample))], within, bounds=BOUNDS, level=level)
            assert estimate is not None
            covered += estimate.low <= scores.mean() <= estimate.high
            tried += 1
    # the margin is four standard errors of 2,400 tries, and what skewness of five scores costs
    assert abs(covered / tried - level) < 4 * np.sqrt(level * (1 - level) / tried) + (0.01 if shape == "skewed" else 0)


def test_strata_count_by_what_they_hold_and_a_full_check_is_exact() -> None:
    phone, chat = Stratum(90, (8.0, 6.0)), Stratum(10, (2.0, 2.0))
    estimate = mean_of([phone, chat], Spread(1.0, 30), bounds=BOUNDS)
    assert estimate is not None
    assert estimate.value == pytest.approx(0.9 * 7 + 0.1 * 2)
    variance = 0.81 * (1 / 2 - 1 / 90) + 0.01 * (1 / 2 - 1 / 10)
    assert estimate.high - estimate.value == pytest.approx(stats.t.ppf(0.975, 30) * np.sqrt(variance))
    full = mean_of([Stratum(3, (5.0, 6.0, 7.0))], None, bounds=BOUNDS)
    assert full == Estimate(6.0, 6.0, 6.0, 3, 3)
    assert mean_of([Stratum(3, ())], Spread(1.0, 3), bounds=BOUNDS) is None


def test_five_equal_scores_do_not_claim_to_be_exact() -> None:
    estimate = mean_of([Stratum(50, (9.0,) * 5)], spread([(9.0,) * 5]), bounds=BOUNDS)
    assert estimate is not None
    assert (estimate.low, estimate.high) == BOUNDS


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n), st.integers(0, n))))
def test_share_intervals_cover_whatever_the_share(numbers: tuple[int, int, int]) -> None:
    population, drawn, bad = numbers
    missed = 0.0
    for found in range(max(0, drawn - (population - bad)), min(bad, drawn) + 1):
        low, high = share_of(found, drawn, population)
        if not low - 1e-12 <= bad / population <= high + 1e-12:
            missed += float(stats.hypergeom.pmf(found, population, bad, drawn))
    assert missed <= 0.05 + 1e-9


def test_five_a_week_find_a_fault_of_two_per_cent_in_a_tenth_of_the_weeks() -> None:
    assert chance_to_find(0.02, 5) == pytest.approx(0.0961, abs=1e-4)
    assert chance_to_find(0.02, 5, 100) == pytest.approx(1 - (98 / 100) * (97 / 99) * (96 / 98) * (95 / 97) * (94 / 96))


def test_shrunk_scores_err_less_than_raw_ones() -> None:
    random = np.random.default_rng(7)
    raw, pulled, covered, tried = 0.0, 0.0, 0, 0
    for _ in range(100):
        scores = {str(number): one for number, one in enumerate(people(random, "even"))}
        samples = {person: random.choice(one, 3, replace=False) for person, one in scores.items()}
        within = spread([one.tolist() for one in samples.values()])
        assert within is not None
        found = {p: mean_of([Stratum(len(scores[p]), tuple(samples[p]))], within, bounds=BOUNDS) for p in scores}
        estimates = {person: one for person, one in found.items() if one is not None}
        for person, one in shrink(estimates, within).items():
            truth = scores[person].mean()
            raw += (estimates[person].value - truth) ** 2
            pulled += (one.value - truth) ** 2
            covered += one.low <= truth <= one.high
            tried += 1
    assert pulled < 0.8 * raw
    assert covered / tried > 0.92


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3)), min_size=1, max_size=12))
def test_a_place_is_given_only_where_intervals_do_not_overlap(drawn: list[tuple[float, float]]) -> None:
    estimates = {str(n): Estimate(mid, mid - half, mid + half, 5, 50) for n, (mid, half) in enumerate(drawn)}
    ranks = rank(estimates)
    for person, one in estimates.items():
        better = sum(other.low > one.high for other in estimates.values())
        worse = sum(other.high < one.low for other in estimates.values())
        assert (ranks[person].best, ranks[person].worst) == (better + 1, len(estimates) - worse)
        overlaps = any(o.low <= one.high and one.low <= o.high for p, o in estimates.items() if p != person)
        assert (ranks[person].place is None) == overlaps
