"""Hold-out and lift: anybody can draw again; the interval covers what it says."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.holdout import Arm, Group, arm_of, commitment, lift
from services.crm.domain.intervals import newcombe, wilson

SEED = bytes(range(32))


def test_the_lot_is_the_same_each_time_and_differs_by_campaign() -> None:
    people = [f"c{number}" for number in range(2_000)]
    first = [arm_of(SEED, "sites/s/campaigns/a", one, share=0.5) for one in people]
    assert first == [arm_of(SEED, "sites/s/campaigns/a", one, share=0.5) for one in people]
    assert first != [arm_of(SEED, "sites/s/campaigns/b", one, share=0.5) for one in people]
    assert first != [arm_of(os.urandom(32), "sites/s/campaigns/a", one, share=0.5) for one in people]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_the_share_is_kept(share: float) -> None:
    n = 20_000
    held = sum(arm_of(SEED, "c", str(one), share=share) is Arm.HELD_BACK for one in range(n))
    assert held / n == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)


def test_a_share_of_nothing_and_of_all() -> None:
    assert {arm_of(SEED, "c", str(one), share=0.0) for one in range(100)} == {Arm.TREATED}
    assert {arm_of(SEED, "c", str(one), share=1.0) for one in range(100)} == {Arm.HELD_BACK}


def test_the_commitment_is_the_plain_hash_that_anybody_can_compute() -> None:
    assert commitment(SEED) == hashlib.sha256(SEED).hexdigest()


def test_newcombes_own_examples() -> None:
    """Newcombe (1998), table II, method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/10."""
    one = newcombe(56, 70, 48, 80)
    assert (round(one.low, 4), round(one.high, 4)) == (0.0524, 0.3339)
    two = newcombe(9, 10, 3, 10)
    assert (round(two.low, 4), round(two.high, 4)) == (0.1705, 0.8090)
    three = newcombe(10, 10, 0, 10)
    assert (round(three.low, 4), round(three.high, 4)) == (0.6075, 1.0)


@pytest.mark.parametrize(
    ("treated", "p", "held", "q"),
    [(2_000, 0.05, 200, 0.03), (500, 0.10, 500, 0.10), (900, 0.02, 100, 0.02), (5_000, 0.30, 500, 0.25)],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(treated: int, p: float, held: int, q: float) -> None:
    rng = np.random.default_rng(7)
    rounds = 4_000
    pairs = zip(rng.binomial(treated, p, rounds), rng.binomial(held, q, rounds), strict=True)
    covered = 0
    for one, other in pairs:
        found = lift(Group(treated, int(one)), Group(held, int(other)))
        assert found is not None
        covered += found.difference.low <= p - q <= found.difference.high
    assert 0.935 <= covered / rounds <= 0.985


def test_without_two_arms_there_is_no_lift() -> None:
    assert lift(Group(100, 3), Group(0, 0)) is None
    found = lift(Group(1_000, 100), Group(1_000, 50))
    assert found is not None
    assert found.clear
    assert found.gained == pytest.approx(50)


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_holds_the_share_and_stays_a_share(one: int, other: int) -> None:
    found = wilson(min(one, other), max(one, other))
    assert 0 <= found.low <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.high <= 1


def test_more_than_all_is_no_share() -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)
