"""Judges a roster file against a problem file, whichever of the three formats it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.staffing.roster.check import days, days_bound, quarters, quarters_bound, site, site_bound, solution
from services.staffing.roster.check.lines import sections
from services.staffing.roster.check.verdict import UnreadableError, Verdict


def judge(problem: Path, roster: Path) -> Verdict:
    """Objective by rule, broken rules, and the bound where the roster file publishes prices. Raises UnreadableError."""
    document = solution.document(roster)
    certificate = document.get("certificate")
    if certificate is not None and not isinstance(certificate, dict):
        raise UnreadableError(roster, "the certificate is not an object")
    if problem.read_text(encoding="utf-8-sig").lstrip().startswith("{"):
        return judge_site(site.read(problem), document, roster)
    if "TASKS" in sections(problem):
        floor = quarters.read(problem)
        works = solution.works(roster, document["roster"])
        proved = None
        if certificate is not None:
            rows = _prices(roster, certificate, [str(task + 1) for task in range(floor.tasks)], floor.days * 96)
            proved = quarters_bound.bound(floor, rows.T.copy())
        return Verdict(quarters.objective(floor, works), quarters.broken(floor, works), proved)
    instance = days.read(problem)
    plans = solution.plans(roster, document["roster"], instance.days)
    proved = None
    if certificate is not None:
        shifts = list(instance.minutes)
        rows = _prices(roster, certificate, shifts, instance.days)
        prices = {(day, shift): float(rows[n, day]) for n, shift in enumerate(shifts) for day in range(instance.days)}
        proved = days_bound.bound(instance, prices, _counted(roster, certificate, shifts))
    return Verdict(days.objective(instance, plans), days.broken(instance, plans), proved)


def judge_site(problem: Mapping[str, Any], document: Mapping[str, Any], path: Path = Path("roster")) -> Verdict:
    """The same for a site's weeks, whose documents need no file. Raises UnreadableError."""
    try:
        rosters = site.works(document["roster"])
        certificate, slots, proved = document.get("certificate"), (problem["days"] + 1) * 96, None
        said = site.broken(problem, rosters)
        missing: site.Rosters = {person["id"]: [] for person in problem["people"] if person["id"] not in rosters}
        costs = site.objective(problem, {**rosters, **missing})
        if certificate is not None:
            rows = _prices(path, certificate, problem["activities"], slots)
            proved = site_bound.bound(problem, dict(zip(problem["activities"], rows, strict=True)))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(path, f"not as the format has it ({error!r})") from error
    return Verdict(costs, said, proved)


def _prices(path: Path, certificate: Mapping[str, Any], names: Sequence[str], slots: int) -> np.ndarray:
    """Prices by activity and slot."""
    try:
        found = np.array([certificate["prices"][name] for name in names], dtype=float)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(path, f"the certificate has no prices for every activity ({error})") from error
    if found.shape != (len(names), slots) or not np.isfinite(found).all():
        raise UnreadableError(path, f"the certificate's prices are not {slots} numbers for each activity")
    return found


def _counted(path: Path, certificate: Mapping[str, Any], shifts: Sequence[str]) -> dict[str, list[str]]:
    """Shifts whose limits the bound counts, by person: each once, and known."""
    found = certificate.get("counted", {})
    if not isinstance(found, dict) or any(
        not isinstance(names, list) or len(set(names)) < len(names) or not set(names) <= set(shifts)
        for names in found.values()
    ):
        raise UnreadableError(path, "the certificate counts something else than shifts by person")
    return found
