"""Counting facts, computing everybody's scorecard of a period, freezing it; values that no event gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kefu.common.v1 import errors_pb2

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import FailedPrecondition, InvalidArgument
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa.domain import cards
from services.qa.domain.metrics import METRICS, Fact
from services.qa.domain.period import Period
from services.qa.domain.scorecard import COMPUTED, MANUAL, Card, Figure, Result, compute
from services.qa.errors import forbidden
from services.qa.store import facts, scorecards

RATINGS: Final = "csat"


@dataclass(frozen=True, slots=True)
class Stated:
    """A value that no event gave."""

    person: str
    metric: str
    value: float


class Scorecards:
    """Commands on scorecards and stated values."""

    def __init__(self, profiles: SiteProfiles) -> None:
        self._profiles = profiles

    async def compute(self, tx: Transaction, site: str, period: Period, *, actor: str) -> int:
        """Count what is stale and compute everybody anew, but for who is frozen; returns how many were computed."""
        profile = self._profile(tx, site, period)
        card = required(profile)
        await facts.count(tx, site, period.first, period.end)
        known = await facts.facts(tx, site, period.first, period.end)
        stated = await facts.stated(tx, site, period.id)
        people = sorted(known.keys() | stated.keys())
        results = {person: result_of(card, profile, known.get(person, {}), stated.get(person, {})) for person in people}
        done = await scorecards.put(tx, site, period.id, results, profile_version=profile.version)
        tx.audit(Entry(site, actor, "scorecards.compute", f"sites/{site}", f"{period.id} {done}"))
        return done

    async def freeze(self, tx: Transaction, site: str, period: Period, *, actor: str) -> int:
        """Compute a last time, and never again. FailedPrecondition while the period lasts."""
        profile = self._profile(tx, site, period)
        if tx.now < period.ends_at(profile.timezone):
            raise FailedPrecondition(errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": "PERIOD_LASTS"})
        await self.compute(tx, site, period, actor=actor)
        frozen = await scorecards.freeze(tx, site, period.id)
        tx.audit(Entry(site, actor, "scorecards.freeze", f"sites/{site}", f"{period.id} {frozen}"))
        return frozen

    async def state(
        self,
        tx: Transaction,
        site: str,
        period: Period,
        values: Sequence[Stated],
        *,
        source: str,
        origin: str,
        actor: str,
    ) -> None:
        """Keep values beside the computed ones. FailedPrecondition for one by hand where the profile forbids that."""
        profile = self._profile(tx, site, period)
        if source == MANUAL and not profile.setting("metrics.allow_manual"):
            raise forbidden("metrics.allow_manual")
        for index, one in enumerate(values):
            if one.metric not in METRICS:
                raise InvalidArgument.field(f"values[{index}].metric", "is no metric of the registry", "metric.known")
        rows = [(one.person, one.metric, one.value) for one in values]
        await facts.state(tx, site, period.id, rows, source=source, origin=origin, author=actor)
        tx.audit(Entry(site, actor, "metrics.state", f"sites/{site}", f"{period.id} {source} {len(rows)}"))

    def _profile(self, tx: Transaction, site: str, period: Period) -> Profile:
        """The rules at the period's end, or now while it lasts."""
        now = self._profiles.at(site, tx.now)
        return self._profiles.at(site, min(tx.now, period.ends_at(now.timezone)))


def required(profile: Profile) -> Card:
    """The site's scorecard. Raises FailedPrecondition where the profile has none."""
    card = cards.card(profile)
    if card is None:
        raise forbidden("scorecard.method")
    return card


def figures_of(
    profile: Profile, known: Mapping[str, Fact], stated: Mapping[str, tuple[float, str]]
) -> dict[str, Figure]:
    """Metric → its value: the computed one wherever there is one, else the stated one under its own label."""
    least = profile.setting("scorecard.ratings_min")
    figures = {metric: Figure(value, source) for metric, (value, source) in stated.items()}
    for id_, metric in METRICS.items():
        found = None if metric.formula is None else metric.formula.value(known)
        if found is None or (metric.ratings and isinstance(least, int) and found[1] < least):
            continue
        figures[id_] = Figure(found[0], COMPUTED, found[1])
    return figures


def result_of(
    card: Card, profile: Profile, known: Mapping[str, Fact], stated: Mapping[str, tuple[float, str]]
) -> Result:
    """A person's scorecard."""
    figures = figures_of(profile, known, stated)
    rating = figures.get(RATINGS)
    return compute(card, figures, rating=None if rating is None else rating.value)
