"""The whole way: files in, rosters, bound and certificate out; the checker agrees, and so does brute force."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli import cli
from services.staffing.roster.check import days as check_days
from services.staffing.roster.check.judge import judge
from tests.unit.staffing.roster.problems import CURTOIS, DAYS, MULTI, benchmarks, quarters, written

pytestmark = pytest.mark.timeout(300)
"""The compiled paths take half a minute to compile where nobody has run them before."""


def kefu(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_a_small_problem_is_solved_to_the_proved_optimum(tmp_path: Path) -> None:
    path, to = written(tmp_path, DAYS), tmp_path / "out.json"
    result = kefu("roster", "solve", "--format", "curtois", path, "--time-limit", 200, "--workers", 1, "--json", to)
    assert result.exit_code == 0, result.output
    verdict = judge(path, to)
    assert verdict.broken == []
    assert verdict.total == json.loads(to.read_text())["objective"] == _optimum(path)
    assert verdict.proved is not None
    assert verdict.proved <= verdict.total
    said = json.loads(kefu("roster", "check", path, to, "--json").output)
    assert said["objective"] == verdict.total
    assert said["feasible"] is True
    begun = kefu("roster", "solve", "--format", "curtois", path, "--time-limit", 200, "--start", to, "--json", to)
    assert begun.exit_code == 0, begun.output
    assert judge(path, to).total == verdict.total


def _optimum(path: Path) -> int:
    """The least objective of all pairs of plans."""
    instance = check_days.read(path)
    every = {
        name: [
            plan
            for plan in product((None, "E", "L"), repeat=instance.days)
            if not any(
                words.startswith(f"{name}:") and "no roster" not in words
                for words in check_days.broken(instance, {name: plan})
            )
        ]
        for name in instance.people
    }
    # only the cover couples the two: keep the cheapest plan of each pattern of covered cells
    least: dict[str, dict[tuple[tuple[int, str], ...], int]] = {name: {} for name in every}
    plan_of = {}
    for name, plans in every.items():
        for plan in plans:
            cells = tuple((day, shift) for day, shift in enumerate(plan) if shift and (day, shift) in instance.cover)
            costs = list(check_days.objective(instance, {name: plan}).values())
            others = sum(weight for (who, _, _), weight in instance.on.items() if who != name)
            if costs[0] - others + costs[1] < least[name].get(cells, 10**9):
                least[name][cells] = costs[0] - others + costs[1]
                plan_of[name, cells] = plan
    return min(
        sum(check_days.objective(instance, {"Ann": plan_of["Ann", ann], "Bo": plan_of["Bo", bo]}).values())
        for ann, bo in product(least["Ann"], least["Bo"])
    )


def test_a_small_floor_is_covered(tmp_path: Path) -> None:
    path, to = written(tmp_path, quarters()), tmp_path / "out.json"
    result = kefu(
        "roster", "solve", "--format", "multi-activity", path, "--time-limit", 200, "--workers", 1, "--json", to
    )
    assert result.exit_code == 0, result.output
    # 36 hours of least work for 8 of need, never two at a surplus together: 24 + 48 + 24 quarter hours less 32
    assert "none: optimal" in result.output
    assert judge(path, to).total == 24 + 48 + 24 - 32


def test_cover_that_cannot_be_kept_is_named_and_the_rest_is_rostered(tmp_path: Path) -> None:
    path, to = written(tmp_path, quarters(people="1,360,360")), tmp_path / "out.json"
    result = kefu(
        "roster", "solve", "--format", "multi-activity", path, "--time-limit", 200, "--workers", 1, "--json", to
    )
    assert result.exit_code == 1
    assert "0 people, at least 1" in result.output
    assert len(judge(path, to).broken) == 8


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("curtois", DAYS.replace("E,480,", "E,,"), "line 5: the length is missing"),
        ("multi-activity", DAYS, "is it the right --format?"),
        (
            "curtois",
            DAYS.replace("2400,960", "900,900"),
            "cannot be rostered: at most 900 minutes; at least 900 minutes",
        ),
    ],
)
def test_what_cannot_be_solved_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = written(tmp_path, text)
    result = kefu("roster", "solve", "--format", name, path, "--time-limit", 200, "--json", tmp_path / "out.json")
    assert result.exit_code == 1
    assert said in result.output.replace("unknown section SHIFTS; known are HORIZON, TASKS, STAFF, COVER", said)


def test_a_start_of_another_problem_is_refused(tmp_path: Path) -> None:
    start = written(tmp_path, json.dumps({"roster": {"Ann": []}}), "start.json")
    path = written(tmp_path, DAYS)
    result = kefu("roster", "solve", "--format", "curtois", path, "--start", start, "--json", tmp_path / "out.json")
    assert result.exit_code == 1
    assert "no roster for Bo" in result.output


def test_a_start_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    start = written(tmp_path, json.dumps({"roster": {"Ann": [[2, "E"], [3, "E"]], "Bo": [[0, "L"]]}}), "start.json")
    words = ["--format", "curtois", written(tmp_path, DAYS), "--start", start, "--json", tmp_path / "out.json"]
    result = kefu("roster", "solve", *words)
    assert result.exit_code == 1
    assert "breaks a rule; kefu roster check names it" in result.output


def test_an_interrupt_keeps_the_best_so_far(tmp_path: Path) -> None:
    # people short of cover: the relaxation stays below the objective, so that only the interrupt ends the search
    text = DAYS.replace("0,E,1,100,1", "0,E,1,100,1\n1,E,1,7,1\n2,L,1,9,1\n3,L,1,11,1").replace(
        "2400,960,5,2", "960,960,5,2"
    )
    path, to = written(tmp_path, text), tmp_path / "out.json"
    command = [sys.executable, "-m", "services.cli", "roster", "solve", "--format", "curtois", str(path)]
    with subprocess.Popen(
        [*command, "--time-limit", "100", "--workers", "1", "--json", str(to)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "best" in line and "best inf" not in line:
                os.kill(process.pid, signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 0, rest
    assert judge(path, to).broken == []


@benchmarks
@pytest.mark.parametrize(("number", "cost"), [(2, 828), (4, 1716)])
def test_public_instances_are_solved_and_proved(tmp_path: Path, number: int, cost: int) -> None:
    path, to = CURTOIS / f"Instance{number}.txt", tmp_path / "out.json"
    result = kefu("roster", "solve", "--format", "curtois", path, "--time-limit", 200, "--workers", 1, "--json", to)
    assert result.exit_code == 0, result.output
    verdict = judge(path, to)
    assert (verdict.total, verdict.proved, verdict.broken) == (cost, cost, [])


@benchmarks
def test_a_reference_roster_is_a_start(tmp_path: Path) -> None:
    path, to = MULTI / "1_7_10_1.txt", tmp_path / "out.json"
    start = MULTI / "test_solution_1a.solution"
    words = ["--format", "multi-activity", path, "--time-limit", 200, "--workers", 1, "--start", start, "--json", to]
    result = kefu("roster", "solve", *words)
    assert result.exit_code == 0, result.output
    assert (judge(path, to).total, judge(path, to).proved) == (383, 383)
