"""What another version of the profile would have made of a period's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.kit.db import Reading
from services.kit.errors import FieldViolation, InvalidArgument
from services.policy import loader
from services.policy.faults import ProfileRefusedError
from services.policy.profile import Profile
from services.qa.commands.scorecards import required, result_of
from services.qa.domain.appraisal import GRADE_SHARE
from services.qa.domain.bonus import distribute
from services.qa.domain.period import Period
from services.qa.domain.scorecard import Result
from services.qa.store import facts


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result, and what it would get of the pool, fen."""

    result: Result
    bonus_fen: int


def other_version(site: str, text: str) -> Profile:
    """Read a profile of the same site. Raises InvalidArgument with every fault."""
    try:
        profile = loader.load_bytes(text.encode(), "profile").profile
    except ProfileRefusedError as refused:
        faults = [FieldViolation("profile", str(fault), "profile.valid") for fault in refused.faults]
        raise InvalidArgument(fields=faults) from refused
    if profile.site != site:
        raise InvalidArgument.field("profile", f"is of {profile.site}, not of {site}", "profile.site")
    return profile


async def dry_run(
    tx: Reading, before: Profile, after: Profile, period: Period, *, pool_fen: int
) -> dict[str, tuple[Outcome, Outcome]]:
    """Person → (by the one version, by the other), from the figures that were counted already."""
    known = await facts.facts(tx, before.site, period.first, period.end)
    stated = await facts.stated(tx, before.site, period.id)
    people = sorted(known.keys() | stated.keys())

    def by(profile: Profile) -> dict[str, Outcome]:
        card = required(profile)
        results = {person: result_of(card, profile, known.get(person, {}), stated.get(person, {})) for person in people}
        return _shared(results, pool_fen)

    one, other = by(before), by(after)
    return {person: (one[person], other[person]) for person in people}


def _shared(results: Mapping[str, Result], pool_fen: int) -> dict[str, Outcome]:
    shares = {person: _worth(one) for person, one in results.items()}
    bonus = distribute(pool_fen, shares) if shares else {}
    return {person: Outcome(one, bonus[person]) for person, one in results.items()}


def _worth(one: Result) -> float:
    worth = GRADE_SHARE.get(one.grade, 0.0) if one.score is None else one.score / 100
    return worth * (1.0 if one.coefficient is None else one.coefficient)
