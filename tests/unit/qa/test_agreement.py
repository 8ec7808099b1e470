"""Krippendorff's alpha against his published example and a package of other hands; who is severe."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.qa.domain.agreement import agreement, alpha, severity

NAN = float("nan")
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C: four observers, twelve units.
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def marks_of(table: list[list[float]]) -> dict[str, dict[str, int]]:
    return {
        str(unit): {str(who): int(row[unit]) for who, row in enumerate(table) if not np.isnan(row[unit])}
        for unit in range(len(table[0]))
    }


def test_the_published_example() -> None:
    value = alpha(marks_of(PUBLISHED))
    assert value == pytest.approx(0.815, abs=5e-4)
    assert value == pytest.approx(krippendorff.alpha(PUBLISHED, level_of_measurement="ordinal"), abs=1e-9)


@given(
    st.integers(2, 6).flatmap(
        lambda reviewers: st.lists(
            st.lists(st.one_of(st.integers(1, 10), st.none()), min_size=reviewers, max_size=reviewers),
            min_size=2,
            max_size=25,
        )
    )
)
def test_any_table_gives_what_the_reference_gives(units: list[list[int | None]]) -> None:
    table = [[NAN if unit[who] is None else float(unit[who] or 0) for unit in units] for who in range(len(units[0]))]
    paired = [unit for unit in units if sum(mark is not None for mark in unit) > 1]
    assume(len({mark for unit in paired for mark in unit if mark is not None}) > 1)
    expected = krippendorff.alpha(table, level_of_measurement="ordinal")
    assert alpha(marks_of(table)) == pytest.approx(expected, abs=1e-6)


def test_where_nothing_can_be_said_nothing_is() -> None:
    assert alpha({}) is None
    assert alpha({"r": {"ann": 5}}) is None
    assert alpha({"r": {"ann": 5, "bob": 5}, "s": {"ann": 5, "bob": 5}}) is None
    assert agreement({"r": {"ann": 5}}, seed=1) is None


def test_the_bootstrap_interval_covers_and_can_be_repeated() -> None:
    random = np.random.default_rng(3)

    def sample(units: int) -> dict[str, dict[str, int]]:
        truth = random.integers(3, 9, units)
        return {
            str(n): {who: int(np.clip(one + random.integers(-1, 2), 1, 10)) for who in ("a", "b", "c")}
            for n, one in enumerate(truth)
        }

    population = alpha(sample(40_000))
    assert population is not None
    covered = 0
    for number in range(200):
        found = agreement(sample(40), seed=number, resamples=400)
        assert found is not None
        assert found.low <= found.alpha <= found.high
        covered += found.low <= population <= found.high
    assert covered / 200 > 0.88  # percentile intervals of 40 units fall a little short of 0.95
    first = sample(20)
    assert agreement(first, seed=9) == agreement(first, seed=9)


def test_severity_is_the_distance_to_the_others() -> None:
    marks = {str(n): {"strict": 4, "mild": 8, "fair": 6} for n in range(6)} | {"alone": {"strict": 1}}
    found = severity(marks)
    assert found["strict"].difference == pytest.approx(-3)
    assert found["mild"].difference == pytest.approx(3)
    assert found["fair"].difference == pytest.approx(0)
    assert found["strict"].recordings == 6
