"""Why nobody could work as fixed: the smallest set of a person's rules that contradict each other, and a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from services.staffing.roster.site.rules import DAY, Limits, Person, Week

Possible = Callable[[Week, Person], bool]
LAW: Final = 1_000
"""Price of leaving out a rule of the site or the law: such a rule is named, never the one to give way."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in words, the problem without it, and what leaving it out costs a planner."""

    words: str
    without: Callable[[Week, Person], tuple[Week, Person]]
    price: int


def minimal(week: Week, person: Person, possible: Possible, first: date | None = None) -> list[Rule]:
    """Rules of which each is needed for the contradiction.

    A deletion filter (Chinneck & Dravnieks 1991): each rule in turn is left out for good where a contradiction remains.
    """
    kept = []
    for rule in _rules(week, person, first):
        lighter = rule.without(week, person)
        if possible(*lighter):
            kept.append(rule)
        else:
            week, person = lighter
    return kept


def conflict(week: Week, person: Person, possible: Possible) -> list[str]:
    """The minimal set in words."""
    return [rule.words for rule in minimal(week, person, possible)]


def relaxed(
    week: Week, person: Person, possible: Possible, first: date | None = None
) -> tuple[Person, list[Rule], list[Rule]]:
    """The person with the cheapest of the contradicting rules given up, again and again until a roster is possible.

    Returns the person, every rule named on the way, and those given up. Only what planners themselves asked for gives
    way: fixed days and leave, never a rule of the site.
    """
    named: list[Rule] = []
    dropped: list[Rule] = []
    while not possible(week, person):
        core = minimal(week, person, possible, first)
        cheapest = min(core, key=lambda rule: rule.price)
        _week, person = cheapest.without(week, person)
        named.extend(rule for rule in core if rule.words not in {one.words for one in named})
        dropped.append(cheapest)
    return person, named, dropped


def _rules(week: Week, person: Person, first: date | None) -> Iterator[Rule]:
    limits = week.limits
    yield Rule(f"{_hours(limits.weekly_rest)} free in one piece every week", _limits(weekly_rest=0), LAW)
    yield Rule(f"{_hours(limits.between)} between two shifts", _limits(between=-7 * DAY), LAW)
    yield Rule(f"at most {limits.days_in_row} days in a row", _limits(days_in_row=week.days + person.run), LAW)
    yield Rule(f"at most {_hours(person.most)} of work a week", _most, LAW)
    for day in sorted(person.leave):
        yield Rule(f"on leave on {_day(day, first)}", _without_leave(day), 10)
    for day, shift in sorted(person.fixed.items()):
        what = f"fixed to {week.shifts[shift].id}" if shift >= 0 else "fixed to be free"
        yield Rule(f"{what} on {_day(day, first)}", _without_fixed(day), 1)


def _limits(**changes: int) -> Callable[[Week, Person], tuple[Week, Person]]:
    def without(week: Week, person: Person) -> tuple[Week, Person]:
        changed: Limits = replace(week.limits, **changes)
        return replace(week, limits=changed), person

    return without


def _most(week: Week, person: Person) -> tuple[Week, Person]:
    return week, replace(person, most=7 * max(shift.paid for shift in week.shifts))


def _without_leave(day: int) -> Callable[[Week, Person], tuple[Week, Person]]:
    return lambda week, person: (week, replace(person, leave=person.leave - {day}))


def _without_fixed(day: int) -> Callable[[Week, Person], tuple[Week, Person]]:
    def without(week: Week, person: Person) -> tuple[Week, Person]:
        return week, replace(person, fixed={one: shift for one, shift in person.fixed.items() if one != day})

    return without


def _hours(minutes: int) -> str:
    return f"{minutes / 60:g} h"


def _day(day: int, first: date | None) -> str:
    return str(first + timedelta(days=day)) if first else f"day {day}"
