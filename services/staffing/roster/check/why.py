"""Where people are missing, and why nobody else comes: found with the checker's own rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.staffing.roster.check.site import MIDNIGHT, QUARTER, Rosters, Work, objective, of_person, present

MOST: Final = 10
"""Shortfalls explained, the largest first."""
ASKED: Final = 20
"""People asked for each."""


def shortfalls(problem: Mapping[str, Any], rosters: Rosters) -> list[dict[str, Any]]:
    """Stretches with people missing: activity, first and last quarter hour, most missing, and why not others."""
    there, found = present(problem, rosters), []
    for name, cells in problem["need"].items():
        missing = [(slot, people - there[name, slot]) for slot, people in sorted(cells) if people > there[name, slot]]
        found += [{"activity": name, **stretch} for stretch in _stretches(missing)]
    found.sort(key=lambda one: (-one["missing"] * (one["end"] - one["start"]), one["start"]))
    whole = sum(objective(problem, rosters).values()) if found else 0
    for one in found[:MOST]:
        one["why_not"] = list(_why_not(problem, rosters, one, whole))
    return sorted(found, key=lambda one: (one["start"], one["activity"]))


def _stretches(missing: Sequence[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Quarter hours one after the other, together; `end` is the quarter hour after the last."""
    current: dict[str, Any] | None = None
    for slot, people in missing:
        if current is not None and slot == current["end"]:
            current = current | {"end": slot + 1, "missing": max(current["missing"], people)}
        else:
            if current is not None:
                yield current
            current = {"start": slot, "end": slot + 1, "missing": people}
    if current is not None:
        yield current


def _why_not(
    problem: Mapping[str, Any], rosters: Rosters, short: Mapping[str, Any], whole: int
) -> Iterator[dict[str, Any]]:
    """Of each person with the skill who is not at work then: broken rules, or what their coming would gain."""
    asked = 0
    for person in problem["people"]:
        name, shifts = person["id"], rosters[person["id"]]
        busy = any(work.start < short["end"] * QUARTER and work.end > short["start"] * QUARTER for work in shifts)
        if busy or short["activity"] not in person["activities"] or asked == ASKED:
            continue
        asked += 1
        best: dict[str, Any] | None = None
        for work in _covering(problem, short):
            plan = sorted([one for one in shifts if one.day != work.day] + [work], key=lambda one: one.start)
            rules = list(of_person(problem, person, plan))
            gain = 0 if rules else whole - sum(objective(problem, {**rosters, name: plan}).values())
            tried = {"person": name, "rules": rules, "gain": gain}
            if best is None or (len(rules), -gain) < (len(best["rules"]), -best["gain"]):
                best = tried
        if best is not None:
            yield best


def _covering(problem: Mapping[str, Any], short: Mapping[str, Any]) -> Iterator[Work]:
    """The shift that helps most of each length, its break as late or as early as may be."""
    first, last = short["start"] * QUARTER, short["end"] * QUARTER
    by_length: dict[int, tuple[int, Work]] = {}
    for day in {first // MIDNIGHT, max(first // MIDNIGHT - 1, 0)}:
        for shift in problem["shifts"]:
            start = day * MIDNIGHT + shift["start"]
            end, rest, lead = start + shift["minutes"], shift.get("break_minutes", 0), shift.get("break_lead", 0)
            for pause in {start + lead, end - lead - rest} if rest else {start}:
                work = Work(start, end, (pause, pause + rest), short["activity"])
                helps = sum(first <= slot * QUARTER < last for slot in work.quarters)
                known = by_length.get(shift["minutes"])
                if helps and day < problem["days"] and (known is None or helps > known[0]):
                    by_length[shift["minutes"]] = (helps, work)
    return (work for _, work in by_length.values())
