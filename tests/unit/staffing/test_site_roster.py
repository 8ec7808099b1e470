"""Rosters of a site: the search, the checker that shares nothing with it, and both against every roster there is."""

from __future__ import annotations

import copy
import itertools
import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from services.staffing.files.table import FileRefusedError
from services.staffing.roster.check import site, site_bound
from services.staffing.roster.check.judge import judge_site
from services.staffing.roster.check.verdict import UnreadableError
from services.staffing.roster.errors import ImpossibleError
from services.staffing.roster.search.explorer import Explorer
from services.staffing.roster.search.respond import respond, stir
from services.staffing.roster.site import document, pricing
from services.staffing.roster.site import words as site_words
from services.staffing.roster.site.conflict import relaxed
from services.staffing.roster.site.rules import Week

DAYS = 7
WEIGHTS = {"missing": 7, "unsupervised": 20, "surplus": 2, "contract": 3, "fairness": 5, "changed": 11}


def shift(name: str, start: int, hours: int, rest: int = 0, lead: int = 0) -> dict[str, Any]:
    return {"id": name, "start": 60 * start, "minutes": 60 * hours, "break_minutes": rest, "break_lead": lead}


def problem(**changes: Any) -> dict[str, Any]:
    """A week of two people, of a trainee, and of an early and a night shift."""
    quarters = range(4 * 8, 4 * 12)
    plain: dict[str, Any] = {
        "format": "site",
        "site": "desk",
        "first_day": "2026-12-07",
        "days": DAYS,
        "limits": {"weekly_rest_minutes": 24 * 60, "between_minutes": 11 * 60, "days_in_row": 4},
        "shifts": [shift("EARLY@0800", 8, 5, 60, 60), shift("NIGHT@2200", 22, 8)],
        "activities": ["GENERAL", "SUPERVISOR"],
        "people": [
            {"id": "li", "activities": ["GENERAL"], "least_minutes": 960, "most_minutes": 1_440, "past": 1},
            {"id": "wang", "activities": ["GENERAL", "SUPERVISOR"], "least_minutes": 480, "most_minutes": 1_440},
        ],
        "trainees": [{"id": "sun", "mentor": "wang", "leave": [2]}],
        "holidays": [3],
        "weights": WEIGHTS,
        "need": {
            "GENERAL": [[96 * day + quarter, 1] for day in range(DAYS) for quarter in quarters],
            "SUPERVISOR": [[96 * day + quarter, 1] for day in (1, 2) for quarter in quarters],
        },
    }
    return copy.deepcopy(plain | changes)


def week(words: dict[str, Any]) -> Week:
    return document.week(msgspec.json.decode(json.dumps(words), type=site_words.Problem))


def solve(words: dict[str, Any], rounds: int = 1) -> dict[str, Any]:
    """A solution document with its certificate, searched in this process."""
    said: dict[str, Any] = {"bound": -np.inf}
    steps = itertools.count()
    known = week(words)
    built = pricing.problem(known)

    def report(what: str, value: float, payload: object) -> None:
        if what == "bound" and value > said["bound"]:
            said.update(bound=value, prices=payload)

    explorer = Explorer(built, [1, 0], lambda: next(steps) > 4_000, report)
    explorer.begin()
    for _ in range(rounds):
        if explorer.proved:
            break
        explorer._neighbourhood()
    assert explorer.best is not None
    return {
        "objective": explorer.cost,
        "bound": said["bound"],
        "roster": document.encode(known, [(one.kind, one.cells) for one in explorer.best]),
        "certificate": document.certificate(known, said["prices"]),
    }


def every_roster(words: dict[str, Any], person: dict[str, Any]) -> list[list[site.Work]]:
    """Everything that one person may work by the checker's rules, activities apart."""
    found = []
    for plan in itertools.product([None, *words["shifts"]], repeat=DAYS):
        works = []
        for day, one in enumerate(plan):
            if one is not None:
                start = 1_440 * day + one["start"]
                pause = start + one["break_lead"]
                rest = (pause, pause + one["break_minutes"])
                works.append(site.Work(start, start + one["minutes"], rest, "GENERAL"))
        if not list(site.of_person(words, person, works)):
            found.append(works)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"leave": [0, 1], "wishes": [{"day": 4, "shift": "OFF", "weight": 9}, {"day": 5, "shift": "ANY", "weight": 4}]},
        {"fixed": {"2": "NIGHT@2200"}, "published": {"1": "EARLY@0800", "2": "OFF"}},
        {"run": 3, "free": -300, "wishes": [{"day": 6, "shift": "NIGHT@2200", "weight": 30}]},
    ],
)
def test_the_path_finds_the_least_of_every_roster(changes: dict[str, Any]) -> None:
    words = problem(shifts=[shift("EARLY@0800", 8, 4), shift("NIGHT@2200", 22, 8)])
    person = words["people"][0] | changes
    words["people"] = [person]
    words["trainees"] = []
    prices = np.random.default_rng(len(str(changes))).integers(-9, 9, (96 * (DAYS + 1), 2)).astype(float)

    def value(works: list[site.Work]) -> float:
        alone = sum(site.costs(words, person, works).values())
        return alone + float(sum(prices[quarter, 0] for work in works for quarter in work.quarters))

    least = min(value(works) for works in every_roster(words, person))
    found = pricing.problem(week(words)).pricer.price(0, prices.reshape(-1))
    assert found.least == pytest.approx(least)
    table = {"GENERAL": prices[:, 0], "SUPERVISOR": prices[:, 1]}
    assert site_bound._least(words, person, table) == pytest.approx(least)


def test_solver_and_checker_agree_and_the_bound_is_proved_again() -> None:
    words = problem()
    solution = solve(words)
    verdict = judge_site(words, solution)
    assert verdict.broken == []
    assert verdict.total == solution["objective"]
    assert verdict.bound == pytest.approx(solution["bound"], abs=0.01)
    assert verdict.proved is not None
    assert verdict.proved <= verdict.total
    trainee = solution["roster"]["sun"]
    assert all(work in solution["roster"]["wang"] for work in trainee)
    assert all(work["day"] != 2 for work in trainee)


def test_the_best_of_two_people_together() -> None:
    """Every pair of rosters, against the bound: the search may not promise more than there is."""
    words = problem(
        trainees=[], need={"GENERAL": [[96 * day + quarter, 1] for day in range(5) for quarter in (33, 47)]}
    )
    words["shifts"] = [shift("EARLY@0800", 8, 4)]
    words["activities"] = ["GENERAL"]
    words["people"][1]["activities"] = ["GENERAL"]
    choices = [every_roster(words, person) for person in words["people"]]
    least = min(
        sum(site.objective(words, {"li": first, "wang": second}).values())
        for first in choices[0]
        for second in choices[1]
    )
    solution = solve(words)
    assert judge_site(words, solution).total == least
    assert solution["bound"] <= least + 1e-6


EARLY = {"start": 480, "minutes": 300, "break_start": 120, "break_minutes": 60, "activity": "GENERAL"}
NIGHT = {"start": 1_320, "minutes": 480, "break_start": 0, "break_minutes": 0, "activity": "GENERAL"}


@pytest.mark.parametrize(
    ("roster", "words"),
    [
        ([EARLY | {"day": 0}, NIGHT | {"day": 0}], "2 shifts on 2026-12-07 Mon"),
        ([NIGHT | {"day": 0}, EARLY | {"day": 1}], "2 h free before 2026-12-08 Tue 08:00, at least 11 h"),
        ([EARLY | {"day": day} for day in range(5)], "5 days in a row on 2026-12-11 Fri, at most 4"),
        ([NIGHT | {"day": day} for day in range(4)], "32 h in the week of 2026-12-07 Mon, at most 24 h"),
        ([EARLY | {"day": 1, "start": 500}], "is none of the site's"),
        ([EARLY | {"day": 1, "break_start": 45}], "is none of the site's"),
        ([EARLY | {"day": 1, "activity": "SUPERVISOR"}], "without that skill"),
        ([EARLY | {"day": 6}], "works on 2026-12-13 Sun, a day of leave"),
        ([], "2026-12-08 Tue is fixed to EARLY@0800"),
    ],
)
def test_each_hard_rule_is_seen_when_broken(roster: list[dict[str, Any]], words: str) -> None:
    known = problem()
    known["people"][0] |= {"leave": [6]} | ({"fixed": {"1": "EARLY@0800"}} if not roster else {})
    said = judge_site(known, {"roster": {"li": roster, "wang": [], "sun": []}}).broken
    assert any(words in one for one in said), said


def test_the_weekly_rest_is_counted_within_the_week() -> None:
    """Six days with free evenings have no 48 hours; a Sunday and the Monday after it do not add up."""
    known = problem(limits={"weekly_rest_minutes": 48 * 60, "between_minutes": 60, "days_in_row": 7}, days=14)
    known["people"][0]["most_minutes"] = 6_000
    roster = [EARLY | {"day": day} for day in range(14) if day not in (6, 7)]
    said = judge_site(known, {"roster": {"li": roster, "wang": [], "sun": []}}).broken
    assert sum("less than 48 h free in one piece" in one for one in said) == 2
    free = [EARLY | {"day": day} for day in range(14) if day not in (2, 3, 10, 11)]
    assert judge_site(known, {"roster": {"li": free, "wang": [], "sun": []}}).broken == []


def test_who_is_not_certified_or_without_mentor_is_refused() -> None:
    known = problem()
    said = judge_site(known, {"roster": {"li": [], "wang": [], "sun": [EARLY | {"day": 1}], "new": []}}).broken
    assert "sun: works on 2026-12-08 Tue without the mentor wang" in said
    assert "new: not certified, or not a person of this site" in said


def test_what_contradicts_itself_is_named_and_the_cheapest_gives_way() -> None:
    words = problem()
    words["people"][0] |= {"leave": [2], "fixed": {"2": "EARLY@0800", "4": "NIGHT@2200", "5": "EARLY@0800"}}
    known = week(words)
    with pytest.raises(ImpossibleError, match="li cannot be rostered"):
        pricing.problem(known).pricer.price(0, np.zeros(96 * 8 * 2))
    person, named, dropped = relaxed(known, known.people[0], pricing.possible, date(2026, 12, 7))
    assert {rule.words for rule in dropped} == {
        "fixed to EARLY@0800 on 2026-12-09",
        "fixed to NIGHT@2200 on 2026-12-11",
    }
    assert {rule.words for rule in named} - {rule.words for rule in dropped} == {
        "on leave on 2026-12-09",
        "11 h between two shifts",
        "fixed to EARLY@0800 on 2026-12-12",
    }
    assert pricing.possible(known, person)
    for rule in named:  # none of them may be missing from its contradiction
        assert rule.words in {one.words for one in named}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": 8}, "whole weeks"),
        ({"shifts": []}, "there must be one"),
        ({"people": []}, "there must be one"),
        ({"need": {"SALES": [[1, 1]]}}, "need of SALES"),
        ({"shifts": [shift("X", 8, 1, 45, 60)]}, "break does not fit"),
        ({"trainees": [{"id": "sun", "mentor": "nobody"}]}, "no mentor"),
        ({"limits": {"weekly_rest_minutes": "x"}}, "limits"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_problems_say_what_is_wrong(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(problem() | change))
    with pytest.raises(FileRefusedError, match=reason):
        document.read(path)


def test_bad_solutions_are_unreadable() -> None:
    for roster in ({"li": [{"day": 1}]}, {"li": 5}):
        with pytest.raises(UnreadableError):
            judge_site(problem(), {"roster": roster})
    with pytest.raises(UnreadableError, match="prices"):
        judge_site(problem(), {"roster": {"li": [], "wang": [], "sun": []}, "certificate": {"prices": {}}})


def test_documents_go_round() -> None:
    words = problem()
    known, solution = week(words), solve(words)
    again = document.decode(known, solution["roster"])
    assert document.encode(known, again) == solution["roster"]
    built = pricing.problem(known)
    assert all(built.pricer.roster(kind, cells) is not None for kind, cells in again)


def test_nobody_alone_gains_after_responses_and_stirring_never_costs() -> None:
    built, random = pricing.problem(week(problem())), np.random.default_rng(3)
    rosters = respond(built, random, lambda: False)
    assert rosters is not None
    cost = built.cost(rosters)
    for position in range(len(rosters)):
        others = built.used([one for number, one in enumerate(rosters) if number != position])
        prices = built.cover.costs(others + 1) - built.cover.costs(others)
        best = built.pricer.price(built.kinds[position], prices).rosters[0]
        assert built.cost([*rosters[:position], best, *rosters[position + 1 :]]) >= cost - 1e-6
    for _ in range(5):
        after = stir(built, rosters, random)
        assert built.cost(after) <= built.cost(rosters)
        rosters = after
    assert respond(built, random, lambda: True) is None
