from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.surge import Turn, turn
from services.policy.profile import Surge

RULE = Surge(threshold=50, operator="GTE", exit_threshold=40)


@pytest.mark.parametrize(
    ("online", "active", "expected"),
    [(49, False, None), (50, False, Turn.ENTERED), (50, True, None), (40, True, None), (39, True, Turn.LEFT)],
)
def test_enters_at_the_threshold_and_leaves_below_the_exit(online: int, active: bool, expected: Turn | None) -> None:
    assert turn(RULE, online, active=active) is expected


def test_above_means_above() -> None:
    above = Surge(threshold=50, operator="GT", exit_threshold=40)
    assert turn(above, 50, active=False) is None
    assert turn(above, 51, active=False) is Turn.ENTERED


def test_without_a_rule_there_is_no_surge() -> None:
    assert turn(None, 10_000, active=False) is None
    assert turn(None, 10_000, active=True) is Turn.LEFT


@given(st.lists(st.integers(41, 60)))
def test_a_number_that_wavers_above_the_exit_turns_it_at_most_once(numbers: list[int]) -> None:
    active, turns = False, 0
    for online in numbers:
        if turn(RULE, online, active=active):
            active, turns = not active, turns + 1
    assert turns <= 1
