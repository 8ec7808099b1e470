"""The checker: each rule with a violation planted, objectives by hand, faulty files, the reference rosters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.staffing.roster.check.judge import judge
from services.staffing.roster.check.verdict import UnreadableError
from tests.unit.staffing.roster.problems import DAYS, MULTI, benchmarks, quarters, written

GOOD_DAYS: dict[str, list[list[Any]]] = {"Ann": [[0, "E"], [1, "E"], [4, "L"]], "Bo": [[0, "L"], [4, "L"]]}
GOOD_QUARTERS: dict[str, list[dict[str, Any]]] = {
    "1": [{"day": 0, "start": "08:00", "tasks": [[1, 480]]}],
    "2": [
        {"day": 0, "start": "20:00", "tasks": [[2, 360]]},
        {"day": 1, "start": "20:00", "tasks": [[1, 60], [2, 300]]},
    ],
    "3": [{"day": 1, "start": "00:00", "tasks": [[1, 360]]}],
}


def judged(folder: Path, problem: str, roster: object, **more: object) -> Any:
    solution = written(folder, json.dumps({"roster": roster, **more}), "roster.json")
    return judge(written(folder, problem), solution)


def test_days_add_up_by_rule(tmp_path: Path) -> None:
    # every wish is kept; missing are E on day 3 (50), L on day 4 (30), L on day 6 (10); day 1 has no cover to exceed
    verdict = judged(tmp_path, DAYS, {**GOOD_DAYS, "Ann": [[0, "E"], [1, "E"], [5, "E"], [6, "E"]]})
    assert verdict.broken == []
    assert list(verdict.objective.values()) == [0, 0, 50 + 30 + 10, 0]
    assert verdict.bound is None
    assert verdict.gap is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Ann": [[1, "E"], [2, "E"]]}, "works E on day 2 (Wed), a day off"),
        ({"Ann": [[0, "L"], [1, "E"]]}, "E on day 1 (Tue) follows L"),
        ({"Ann": [[0, "L"], [1, "L"], [5, "L"], [6, "L"]]}, "4 shifts L, at most 2"),
        ({"Ann": [[0, "E"], [1, "E"], [3, "E"], [4, "E"], [5, "E"], [6, "E"]]}, "2880 minutes, at most 2400"),
        ({"Ann": [[0, "E"]]}, "480 minutes, at least 960"),
        ({"Bo": [[1, "L"], [2, "L"], [3, "L"], [4, "L"], [5, "L"]]}, "5 days in a row from day 1 (Tue), at most 4"),
        ({"Ann": [[0, "E"], [1, "E"], [4, "E"]]}, "1 days in a row from day 4 (Fri), at least 2"),
        ({"Ann": [[0, "E"], [1, "E"], [3, "E"], [4, "E"]]}, "1 days off in a row from day 2 (Wed), at least 2"),
        ({"Bo": [[0, "N"]]}, "unknown shift N"),
        ({"Cy": [[0, "E"]]}, "Cy: not a person of this problem"),
    ],
)
def test_each_day_rule_that_is_broken_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    verdict = judged(tmp_path, DAYS, GOOD_DAYS | {"Ann": [[0, "E"], [1, "E"]]} | changes)
    assert any(said in words for words in verdict.broken), verdict.broken


def test_weekends_and_missing_people_are_named(tmp_path: Path) -> None:
    strict = DAYS.replace("4,1,1,1", "4,1,1,0")
    verdict = judged(tmp_path, strict, {"Bo": [[5, "L"]]})
    assert verdict.broken == ["Ann: no roster", "Bo: works on 1 weekends, at most 0"]


def test_runs_that_touch_an_end_of_the_horizon_are_long_enough(tmp_path: Path) -> None:
    verdict = judged(tmp_path, DAYS, GOOD_DAYS | {"Ann": [[0, "E"], [6, "E"]]})
    assert verdict.broken == []


def test_quarter_hours_add_up(tmp_path: Path) -> None:
    verdict = judged(tmp_path, quarters(), GOOD_QUARTERS)
    assert verdict.broken == []
    # everybody but person 1, who covers exactly the need, is one too many; persons 2 and 3 never at one task together
    assert verdict.total == 24 + 24 + 24


@pytest.mark.parametrize(
    ("person", "shifts", "said"),
    [
        ("1", [[0, "08:00", [[1, 345]]]], "lasts 345 minutes"),
        ("1", [[0, "08:00", [[1, 615]]]], "lasts 615 minutes"),
        ("1", [[0, "10:15", [[1, 360]]]], "starts outside"),
        ("1", [[0, "05:45", [[1, 360]]]], "leaves the horizon"),
        ("1", [[1, "20:00", [[1, 615]]]], "leaves the horizon"),
        ("1", [[0, "08:00", [[1, 240], [2, 45], [1, 75]]]], "task 2 for 45 minutes"),
        ("1", [[0, "08:00", [[3, 360]]]], "unknown task 3"),
        ("1", [[0, "08:07", [[1, 360]]]], "not in quarter hours"),
        ("2", [[0, "14:00", [[2, 360]]], [1, "06:00", [[2, 360]]]], "600 minutes of rest"),
        ("2", [[1, "00:00", [[2, 360]]], [1, "20:00", [[2, 360]]]], "two shifts start on day 1"),
        ("3", [[0, "08:00", [[1, 330]]]], "330 minutes, allowed 360 to 600"),
        ("1", [[0, "08:15", [[1, 465]]]], "day 0 08:00, task 1: 0 people, at least 1"),
    ],
)
def test_each_quarter_hour_rule_that_is_broken_is_named(
    tmp_path: Path, person: str, shifts: list[Any], said: str
) -> None:
    changed = [{"day": day, "start": start, "tasks": tasks} for day, start, tasks in shifts]
    verdict = judged(tmp_path, quarters(), GOOD_QUARTERS | {person: changed})
    assert any(said in words for words in verdict.broken), verdict.broken


def test_a_sixth_day_in_a_row_is_named(tmp_path: Path) -> None:
    week = [{"day": day, "start": "08:00", "tasks": [[1, 360]]} for day in range(6)]
    problem = quarters(days=7, tasks=1, people="1,360,2400")
    assert judged(tmp_path, problem, {"1": week}).broken[0] == "1: a sixth working day in a row on day 5"


@pytest.mark.parametrize(
    ("roster", "more", "reason"),
    [
        ({"Ann": [[7, "E"]]}, {}, "day 7 is not one of 0 to 6"),
        ({"Ann": [[0, "E"], [0, "L"]]}, {}, "two shifts on day 0"),
        ({"Ann": [["E"]]}, {}, "is not [day, shift]"),
        ([], {}, 'no object with a "roster"'),
        (GOOD_DAYS, {"certificate": {"prices": {"E": [0] * 7}}}, "no prices for every activity"),
        (GOOD_DAYS, {"certificate": {"prices": {"E": [0] * 7, "L": [0] * 6}}}, "no prices"),
        (GOOD_DAYS, {"certificate": {"prices": {"E": [0] * 6, "L": [0] * 6}}}, "not 7 numbers"),
        (GOOD_DAYS, {"certificate": {"prices": {"E": [0] * 7, "L": [0] * 7}, "counted": {"Bo": ["E", "E"]}}}, "counts"),
    ],
)
def test_an_unreadable_solution_says_why(tmp_path: Path, roster: object, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        judged(tmp_path, DAYS, roster, **more)
    assert reason in str(caught.value)


def test_a_bound_of_no_prices_is_the_least_of_each_person(tmp_path: Path) -> None:
    nothing = {"prices": {"E": [0.0] * 7, "L": [0.0] * 7}}
    assert judged(tmp_path, DAYS, GOOD_DAYS, certificate=nothing).bound == 0.0


@benchmarks
@pytest.mark.parametrize(("name", "solution", "cost"), [("1_7_10_1", "1a", 383), ("10_7_20_3", "10a", 193)])
def test_the_reference_rosters_cost_what_their_authors_say(name: str, solution: str, cost: int) -> None:
    verdict = judge(MULTI / f"{name}.txt", MULTI / f"test_solution_{solution}.solution")
    assert verdict.broken == []
    assert verdict.total == cost
