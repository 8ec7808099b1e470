"""The compiled paths against every roster there is, and against the checker's own programmes."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.staffing.roster.check import days as check_days
from services.staffing.roster.check import days_bound, quarters_bound
from services.staffing.roster.check import quarters as check_quarters
from services.staffing.roster.check.quarters import Work
from services.staffing.roster.days import pricing as day_pricing
from services.staffing.roster.days import read as day_files
from services.staffing.roster.errors import ImpossibleError
from services.staffing.roster.quarters import document as quarter_documents
from services.staffing.roster.quarters import pricing as quarter_pricing
from services.staffing.roster.quarters import read as quarter_files
from tests.unit.staffing.roster.problems import DAYS, quarters, written

WEEK = 8
"""A day more than a week: what happens on Sundays and Mondays shows."""


def day_file(limits: tuple[int, ...], *, lengths: tuple[int, int]) -> str:
    """One person with these limits, two shifts."""
    early, late, most, least, most_on, least_on, least_off, weekends = limits
    return (
        f"SECTION_HORIZON\n{WEEK}\nSECTION_SHIFTS\nE,{lengths[0]},\nL,{lengths[1]},E\nSECTION_STAFF\n"
        f"Ann,E={early}|L={late},{most},{least},{most_on},{least_on},{least_off},{weekends}\nSECTION_DAYS_OFF\n"
        "Ann,3\nSECTION_SHIFT_ON_REQUESTS\nAnn,0,E,3\nAnn,6,L,5\nSECTION_SHIFT_OFF_REQUESTS\nAnn,1,L,4\n"
        "SECTION_COVER\n0,E,1,10,1\n"
    )


limits = st.tuples(
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([1440, 1920, 2880]),
    st.sampled_from([0, 480, 1000]),
    st.integers(2, 5),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(0, 2),
)
prices_of = st.lists(st.integers(-30, 30), min_size=2 * WEEK, max_size=2 * WEEK)


@pytest.mark.timeout(300)
@settings(max_examples=12, deadline=None)
@given(limits, st.sampled_from([(480, 480), (480, 600)]), prices_of)
def test_the_best_day_roster_is_the_best_of_all(
    tmp_path_factory: pytest.TempPathFactory, limit: tuple[int, ...], lengths: tuple[int, int], given_prices: list[int]
) -> None:
    path = written(tmp_path_factory.mktemp("days"), day_file(limit, lengths=lengths))
    instance = check_days.read(path)
    prices = np.array(given_prices, dtype=float)
    values = {
        plan: value
        for plan in product((None, "E", "L"), repeat=WEEK)
        if (value := _value(instance, plan, prices)) is not None
    }
    priced = {(day, shift): float(prices[2 * day + n]) for day in range(WEEK) for n, shift in enumerate("EL")}
    pricer = day_pricing.problem(day_files.read(path)).pricer
    alone = days_bound._least(instance, "Ann", priced, ["E", "L"])
    if not values:
        assert alone == np.inf
        with pytest.raises(ImpossibleError):
            pricer.price(0, prices)
        return
    found = pricer.price(0, prices)
    assert found.least == alone == min(values.values())
    best = found.rosters[0]
    plan = [None] * WEEK
    for cell in best.cells:
        plan[int(cell) // 2] = "EL"[int(cell) % 2]  # type: ignore[call-overload]
    assert values[tuple(plan)] == found.least == best.cost + prices[best.cells].sum()


def _value(instance: check_days.Instance, plan: tuple[str | None, ...], prices: np.ndarray) -> float | None:
    """Requests and prices of a plan; None where it breaks a rule."""
    if check_days.broken(instance, {"Ann": plan}):
        return None
    costs = check_days.objective(instance, {"Ann": plan})
    requests = costs["shift requested but not worked"] + costs["shift worked against a request"]
    return requests + sum(float(prices[2 * day + "EL".index(shift)]) for day, shift in enumerate(plan) if shift)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 7]))
def test_quarter_hour_rosters_cost_what_the_checker_finds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int
) -> None:
    people = "1,360,1200\n2,720,2400" if days == 7 else "1,360,1200\n2,720,1200"
    path = written(tmp_path_factory.mktemp("floor"), quarters(days=days, people=people))
    floor = quarter_files.read(path)
    prices = np.random.default_rng(seed).integers(-9, 10, size=(days * 96, 2)).astype(float)
    by_load = quarters_bound._rosters(check_quarters.read(path), prices)
    problem = quarter_pricing.problem(floor)
    instance = check_quarters.read(path)
    found = [problem.pricer.price(kind, prices.reshape(-1)) for kind in problem.kinds]
    for one, hours in zip(found, floor.people, strict=True):
        assert one.least == by_load[hours.least : hours.most + 1].min()
        for roster in one.rosters:
            assert prices.reshape(-1)[roster.cells].sum() == by_load[len(roster.cells)]
    document = quarter_documents.encode(floor, [(one.rosters[0].kind, one.rosters[0].cells) for one in found])
    rosters = {
        name: [
            Work(
                shift["day"] * 1440 + int(shift["start"][:2]) * 60 + int(shift["start"][3:]),
                tuple(map(tuple, shift["tasks"])),
            )
            for shift in shifts
        ]
        for name, shifts in document.items()
    }
    assert [words for words in check_quarters.broken(instance, rosters) if "people, at least" not in words] == []
    again = quarter_documents.decode(floor, document)
    assert all(np.array_equal(cells, one.rosters[0].cells) for (_, cells), one in zip(again, found, strict=True))


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("2400,960,5,2,2,1", "2000,1930,5,2,2,1", "at most 2000 minutes; at least 1930 minutes"),
        ("E=7|L=2,2400,960", "E=0|L=1,2400,960", "at most 0 shifts E; at most 1 shifts L; at least 960 minutes"),
        ("2400,960,5,2,2,1", "3400,3000,5,5,2,0", "at most 5 shifts in a row; at least 3000 minutes"),
    ],
)
def test_rules_that_contradict_each_other_are_named(tmp_path: Path, old: str, new: str, rules: str) -> None:
    calendar = day_files.read(written(tmp_path, DAYS.replace(old, new).replace("Ann,2\n", "Ann,6\n")))
    problem = day_pricing.problem(calendar)
    with pytest.raises(ImpossibleError) as caught:
        problem.pricer.price(0, np.zeros(problem.cells))
    assert str(caught.value) == f"Ann cannot be rostered: {rules}"


def test_hours_that_no_shifts_add_up_to_are_named(tmp_path: Path) -> None:
    floor = quarter_files.read(written(tmp_path, quarters(people="1,615,700")))
    problem = quarter_pricing.problem(floor)
    with pytest.raises(ImpossibleError, match="615 to 690 minutes in all; shifts of 6 to 10 hours"):
        problem.pricer.price(0, np.zeros(problem.cells))
