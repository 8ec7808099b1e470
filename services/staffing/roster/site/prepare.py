"""A run's problem made possible: people whose rules contradict each other lose the cheapest of them, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import msgspec
import numpy as np

from services.staffing.roster.cover import Counts
from services.staffing.roster.problem import Problem
from services.staffing.roster.search.respond import respond
from services.staffing.roster.site import document, pricing, words
from services.staffing.roster.site.conflict import relaxed
from services.staffing.roster.site.rules import Week


@dataclass(frozen=True, slots=True)
class Prepared:
    """A possible problem, its document, what contradicted and what gave way."""

    week: Week
    raw: str
    conflicts: list[str]
    given_up: list[str]


def prepare(raw: str) -> Prepared:
    """Read a problem document. Raises ValueError for one that does not fit together."""
    said = msgspec.json.decode(raw, type=words.Problem)
    week = document.week(said)
    first, conflicts, given_up, people = date.fromisoformat(said.first_day), [], [], []
    for person, entry in zip(week.people, said.people, strict=True):
        able, named, dropped = relaxed(week, person, pricing.possible, first)
        conflicts += [f"{person.id}: {rule.words}" for rule in named]
        given_up += [f"{person.id}: {rule.words}" for rule in dropped]
        entry.leave = sorted(able.leave)
        entry.fixed = {day: shift for day, shift in entry.fixed.items() if day in able.fixed}
        people.append(able)
    return Prepared(replace(week, people=people), msgspec.json.encode(said).decode(), conflicts, given_up)


def begin(week: Week, seed: int, before: Mapping[str, Any]) -> tuple[float, list[tuple[int, Counts]]]:
    """A first roster and its cost, in a second or two: best responses, with what still may be of the one before."""
    posed, kept = pricing.problem(week), {}
    known = {member.id for member in week.people} & set(before)
    for position, (kind, cells) in enumerate(
        document.decode(week, {one.id: before.get(one.id, []) for one in week.people})
    ):
        if known and (found := posed.pricer.roster(kind, cells)) is not None:
            kept[position] = found
    rosters = respond(posed, np.random.default_rng(seed), lambda: False, kept)
    assert rosters is not None  # nobody stops it
    return posed.cost(rosters), [(one.kind, one.cells) for one in rosters]


def problem(raw: str) -> Problem:
    """The problem of a document, as a searcher's process builds it for itself."""
    return pricing.problem(document.week(msgspec.json.decode(raw, type=words.Problem)))
