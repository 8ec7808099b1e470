from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulate.patience import FOREVER, fit
from tests.unit.simulate.logs import answered, hung_up, log

NINE = 9 * 3600


def test_kaplan_and_meier_s_product_by_hand() -> None:
    # at 10 s 1 of 5 leaves, at 20 s one is answered, at 30 s 1 of 3 leaves, at 40 s 1 of 2, the last is answered
    rows = [hung_up(1, at=NINE, wait=10), answered(2, at=NINE, wait=20, talk=9), hung_up(3, at=NINE, wait=30)]
    rows += [hung_up(4, at=NINE, wait=40), answered(5, at=NINE, wait=50, talk=9)]
    fitted = fit(log(*rows).calls)
    assert fitted.seconds == (10, 30, 40)
    assert fitted.survival == pytest.approx((4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3 * 1 / 2))
    assert fitted.beyond(9) == 1.0
    assert fitted.beyond(35) == pytest.approx(8 / 15)


def test_those_who_never_queued_tell_nothing_about_patience() -> None:
    assert fit(log(answered(1, at=NINE, wait=0, talk=9), hung_up(2, at=NINE, wait=0)).calls).seconds == ()


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 500)), min_size=1, max_size=60),
    st.integers(0, 600),
    st.floats(0, 0.999999),
)
def test_a_draw_exceeds_what_was_waited_already(waits: list[tuple[bool, int]], waited: int, uniform: float) -> None:
    rows = [
        hung_up(number, at=NINE, wait=wait) if gone else answered(number, at=NINE, wait=wait, talk=1)
        for number, (gone, wait) in enumerate(waits)
    ]
    fitted = fit(log(*rows).calls)
    assert list(fitted.survival) == sorted(fitted.survival, reverse=True)
    drawn = fitted.draw(waited, uniform)
    assert waited < drawn <= FOREVER


def test_draws_follow_the_fit() -> None:
    fitted = fit(log(*[hung_up(number, at=NINE, wait=number + 1) for number in range(100)]).calls)
    draws = [fitted.draw(0, (number + 0.5) / 1000) for number in range(1000)]
    assert abs(sum(draw <= 50 for draw in draws) - 500) <= 10
