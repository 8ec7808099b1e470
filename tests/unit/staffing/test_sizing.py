"""The smallest number of people, and the simulation that has the last word."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.staffing.domain.sizing.answer import answer
from services.staffing.domain.sizing.demand import carried
from services.staffing.domain.sizing.erlang import Load
from services.staffing.domain.sizing.performance import performance
from services.staffing.domain.sizing.plan import plan
from services.staffing.domain.sizing.simulate import Case, simulate
from services.staffing.domain.sizing.size import People, Target, TargetUnreachableError, size
from services.staffing.domain.sizing.validation import SHARES, compare, draw, outside

POSITIVE = st.floats(0.001, 2.0)


@given(
    arrivals=POSITIVE,
    handling=st.floats(20, 1_500),
    patience=st.floats(20, 2_000) | st.just(float("inf")),
    spread=st.sampled_from([0.5, 1.0, 2.0]),
    level=st.floats(0.3, 0.98),
    definition=st.sampled_from(["offered", "answered", "any"]),
    abandoned=st.floats(0.005, 1.0),
    concurrency=st.integers(1, 4),
)
def test_the_answer_keeps_the_promise_and_one_fewer_does_not(
    arrivals: float,
    handling: float,
    patience: float,
    spread: float,
    level: float,
    definition: str,
    abandoned: float,
    concurrency: int,
) -> None:
    load, target = Load.of(arrivals, handling, patience, spread), Target(level, 20, definition, abandoned, 0.9)
    found = int(size(load, target, People(concurrency)))
    assert target.kept(performance(load, found * concurrency, 20))
    if found > 1:
        assert not target.kept(performance(load, (found - 1) * concurrency, 20))


def test_nothing_coming_needs_nobody_and_shapes_are_kept() -> None:
    found = size(Load.of([[0.0, 0.1], [0.2, 0.0]], 180, 120), Target())
    assert found.shape == (2, 2)
    assert (found == 0).tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"level": 1.0}, "endless people"),
        ({"definition": "served"}, "offered, answered, any"),
        ({"occupancy": 0}, "not between"),
    ],
)
def test_promises_that_nobody_can_keep_are_refused(arguments: dict[str, float], word: str) -> None:
    with pytest.raises(TargetUnreachableError, match=word):
        Target(**arguments)  # type: ignore[arg-type]


def test_an_absurd_volume_is_refused_instead_of_searched_for_ever() -> None:
    with pytest.raises(TargetUnreachableError, match="check volumes"):
        size(Load.of(1e6, 3_600), Target())


def test_fewer_leave_than_the_level_alone_would_allow() -> None:
    load = Load.of(120 / 3_600, 240, 120)
    alone, both = size(load, Target(0.8, 30)), size(load, Target(0.8, 30, abandoned=0.03))
    assert (int(alone), int(both)) == (10, 12)  # with eleven 4.0 % leave, with twelve 2.3 %


def test_chats_share_people() -> None:
    load = Load.of(60 / 900, 600, 120)
    one, three = size(load, Target()), size(load, Target(), People(concurrency=3))
    assert int(three) == -(-int(one) // 3)


def test_the_same_seed_simulates_the_same() -> None:
    case = Case(arrivals=0.05, handling=180, patience=120, slots=10)
    assert simulate(case, seed=3, contacts=20_000) == simulate(case, seed=3, contacts=20_000)
    assert simulate(case, seed=3, contacts=20_000) != simulate(case, seed=4, contacts=20_000)


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(
    ("slots", "load", "patience", "handling"), [(2, 0.7, 60, 240), (15, 1.0, 300, 180), (60, 0.95, 120, 600)]
)
def test_formula_and_simulation_agree_within_a_point(
    slots: int, load: float, patience: float, handling: float, spread: float
) -> None:
    case = Case(load * slots / handling, handling, patience, slots, spread, within=20)
    found = compare(case, contacts=400_000)
    for name in SHARES:
        assert abs(found.differences[name]) < 1.0 + 200 * found.simulated.error, name
    assert outside(case, float(found.closed.occupancy)) == []


def test_the_correction_is_what_brings_uneven_handling_within_a_point() -> None:
    case = Case(0.97 * 30 / 60, 60, 600, 30, 2.0, within=20)
    plain, corrected = (compare(case, contacts=1_000_000, correct=one) for one in (False, True))
    assert abs(corrected.differences["of_offered"]) < abs(plain.differences["of_offered"])


def test_random_cases_lie_inside_the_region_they_are_drawn_from() -> None:
    cases = draw(50, seed=4)
    assert cases == draw(50, seed=4) != draw(50, seed=5)
    for case in cases:
        load = Load.of(case.arrivals, case.handling, case.patience, case.spread)
        found = performance(load, case.slots, case.within, correct=False)
        assert outside(case, float(found.occupancy)) == []
    assert "patience" in outside(dataclasses.replace(cases[0], patience=5), 0.8)[0]


def test_long_work_is_carried_into_the_next_interval() -> None:
    arrivals = np.array([0.1, 0.1, 0.5, 0.1, 0.1])
    long, short = carried(arrivals, np.full(5, 1_800.0), 900), carried(arrivals, np.full(5, 20.0), 900)
    assert long[3] > 1.5 * arrivals[3] * 1_800  # the peak's work is still there
    assert long[2] < 0.6 * arrivals[2] * 1_800  # and not all of it was there at once
    assert short == pytest.approx(arrivals * 20, rel=0.1)
    assert carried(np.full(4, 0.2), np.full(4, 700.0), 900) == pytest.approx(np.full(4, 140.0))


def test_a_plan_begins_anew_after_a_gap_and_for_every_skill() -> None:
    nine = datetime(2026, 11, 26, 9)  # noqa: DTZ001 - local wall time, as in planners' files
    quarter = timedelta(minutes=15)
    intervals = [
        (nine, "A", 90.0, 1_200.0),
        (nine + quarter, "A", 9.0, 1_200.0),
        (nine + 8 * quarter, "A", 9.0, 1_200.0),
        (nine, "B", 0.0, 300.0),
    ]
    rows = plan(intervals, interval=900, patience=120, spread=1.0, target=Target(), people=People(shrinkage=0.25))
    assert rows[1].erlangs > 2 * rows[2].erlangs
    assert rows[2].erlangs == pytest.approx(12.0)
    assert (rows[3].present, rows[3].scheduled, rows[3].simulated) == (0, 0, None)
    assert rows[0].scheduled == -(-rows[0].present * 4 // 3)
    for row in rows[:3]:
        assert row.level >= 0.8
        assert row.simulated == pytest.approx(row.level, abs=0.02)


def test_an_overloaded_queue_that_nobody_leaves_is_not_simulated() -> None:
    found = answer(Load.of(0.1, 180), Target(), People(), present=10)
    assert found.simulated is None
    assert found.difference("offered") is None
    assert float(found.closed.of_offered) == 0
