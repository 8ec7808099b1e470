from __future__ import annotations

from services.simulate.shifts import GRACE, WRAP_UP, Stretch, shifts
from tests.unit.simulate.logs import answered, hung_up, log

NINE = 9 * 3600


def test_a_gap_in_which_nobody_waited_is_work() -> None:
    day = log(answered(1, at=NINE, wait=0, talk=60), answered(2, at=NINE + 3600, wait=0, talk=60))
    (shift,) = shifts(day.calls)
    assert shift.person == "a01"
    assert shift.stretches == (Stretch(NINE, NINE + 3660),)


def test_whoever_leaves_callers_waiting_is_away_until_the_next_call() -> None:
    day = log(
        answered(1, at=NINE, wait=0, talk=60),
        hung_up(2, at=NINE + 600, wait=100),
        answered(3, at=NINE + 1200, wait=0, talk=60),
    )
    (shift,) = shifts(day.calls)
    assert shift.stretches == (Stretch(NINE, NINE + 600), Stretch(NINE + 1200, NINE + 1260))


def test_callers_whom_the_server_cannot_serve_do_not_count() -> None:
    day = log(
        answered(1, at=NINE, wait=0, talk=60),
        hung_up(2, at=NINE + 600, wait=100, kind="NE"),
        answered(3, at=NINE + 1200, wait=0, talk=60),
    )
    assert len(shifts(day.calls)[0].stretches) == 1


def test_after_call_work_and_a_moment_of_grace_are_not_absence() -> None:
    taken = NINE + 60 + WRAP_UP + GRACE
    day = log(answered(1, at=NINE, wait=0, talk=60), answered(2, at=NINE + 30, wait=taken - NINE - 30, talk=60))
    assert len(shifts(day.calls)[0].stretches) == 1


def test_answers_by_nobody_named_are_staffed_for_exactly_their_time_by_as_few_as_do() -> None:
    day = log(
        answered(1, at=NINE, wait=0, talk=60, server=""),
        answered(2, at=NINE + 30, wait=0, talk=60, server=""),
        answered(3, at=NINE + 300, wait=0, talk=60, server="", kind="NW"),
    )
    first, second = shifts(day.calls)
    assert first.stretches == (Stretch(NINE, NINE + 60), Stretch(NINE + 300, NINE + 360))
    assert first.types == {"PS", "NW"}
    assert second.stretches == (Stretch(NINE + 30, NINE + 90),)
