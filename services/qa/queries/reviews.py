"""Reading reviews: who may see what, and what a person's score comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from services.kit.access import Principal
from services.kit.db import Reading
from services.policy.profile import Profile
from services.qa.domain import rules
from services.qa.domain.intervals import Estimate, Stratum, chance_to_find, mean_of, shrink, spread
from services.qa.domain.ranking import Rank, rank
from services.qa.domain.review import ASSIGNED, Review
from services.qa.errors import not_found
from services.qa.store import reviews as store

MANAGE: Final = "reviews.manage"
FAULT: Final = 0.02


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores by person with intervals, places and shrunk values, and the power of so many reviews a week."""

    estimates: dict[str, Estimate]
    ranks: dict[str, Rank]
    shrunk: dict[str, Estimate]
    reviews: int
    chance: float


async def get(tx: Reading, site: str, review_id: str, caller: Principal) -> Review:
    """One review as the caller may see it. NotFound for who has nothing to do with it."""
    review = await store.get(tx, site, review_id)
    if not caller.may(MANAGE, site) and not _concerns(review, caller.subject):
        raise not_found(review.name)
    return _blind(review, caller.subject, await store.waiting_for(tx, site, caller.subject))


async def page(
    tx: Reading,
    site: str,
    caller: Principal,
    *,
    before: tuple[datetime, str],
    limit: int,
    person: str,
    reviewer: str,
    state: str,
    overdue: bool,
) -> list[Review]:
    """Reviews that the caller may see, latest first."""
    found = await store.page(
        tx,
        site,
        before=before,
        limit=limit,
        person=person,
        reviewer=reviewer,
        state=state,
        overdue=overdue,
        reader="" if caller.may(MANAGE, site) else caller.subject,
    )
    waiting = await store.waiting_for(tx, site, caller.subject)
    return [_blind(one, caller.subject, waiting) for one in found]


async def scores(tx: Reading, profile: Profile, *, until: date, weeks: int, level: float) -> Scores:
    """Everybody's score over the weeks up to and with a day of the site."""
    end = datetime(until.year, until.month, until.day, tzinfo=profile.timezone) + timedelta(days=1)
    begin = end - timedelta(weeks=weeks)
    scale = rules.scale(profile)
    reviewed: dict[tuple[str, str], list[float]] = {}
    for person, channel, value in await store.counted(tx, profile.site, begin.astimezone(UTC), end.astimezone(UTC)):
        reviewed.setdefault((person, channel), []).append(value)
    held = await store.population(tx, profile.site, begin.astimezone(UTC), end.astimezone(UTC))
    strata: dict[str, list[Stratum]] = {}
    for (person, channel), values in sorted(reviewed.items()):
        number = max(held.get((person, channel), 0), len(values))
        strata.setdefault(person, []).append(Stratum(number, tuple(values)))
    within = spread(reviewed.values())
    bounds = (float(scale.worst), float(scale.best))
    found = {person: mean_of(ones, within, bounds=bounds, level=level) for person, ones in strata.items()}
    estimates = {person: one for person, one in found.items() if one is not None}
    total = sum(map(len, reviewed.values()))
    return Scores(
        estimates=estimates,
        ranks=rank(estimates),
        shrunk=shrink(estimates, within, level=level) if within is not None and within.variance else estimates,
        reviews=total,
        chance=chance_to_find(FAULT, round(total / weeks)),
    )


def _concerns(review: Review, subject: str) -> bool:
    return subject == review.reviewer or (subject == review.person and review.state != ASSIGNED)


def _blind(review: Review, subject: str, waiting: set[str]) -> Review:
    """Hide what others said from who still has to review the same recording."""
    if review.recording not in waiting or review.reviewer == subject:
        return review
    return replace(review, score=None, failed=(), answers=(), evidence=(), coaching="", dispute="")
