"""The season of appraisals: opened, collected, finalised, published, answered, closed with a plan for each miss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

from services.kit.audit import Entry
from services.kit.crypto import Vault
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa.commands.matters import Matters
from services.qa.commands.scorecards import Scorecards
from services.qa.domain import rules
from services.qa.domain.appraisal import (
    APPRAISAL,
    CUSTOMER,
    DATA,
    GRADE_SHARE,
    OUTCOMES,
    PEERS,
    REVIEWS,
    SUPERVISOR,
    Appraisal,
    Facts,
    Plan,
    grade_of,
)
from services.qa.domain.matter import ACTION, MACHINES, REWARD, Matter
from services.qa.domain.peers import composite, dimension, normal
from services.qa.domain.period import QUARTER, Period, parse
from services.qa.domain.scorecard import EXCELLENT, UNQUALIFIED
from services.qa.errors import not_yours, second_person, unmet
from services.qa.queries import reviews as reviewing
from services.qa.store import appraisals as store
from services.qa.store import facts, scorecards
from services.qa.store.scorecards import Scorecard

RATED: Final = "RATED"
RATER: Final = "qa.peer"
LEAST: Final = 3  # raters, where the profile says nothing: fewer could be made out
BONUS: Final = "BONUS"


class Appraisals:
    """Commands on appraisals."""

    def __init__(
        self,
        profiles: SiteProfiles,
        scorecards_: Scorecards,
        matters: Matters,
        vault: Vault,
        new_id: Callable[[], str],
    ) -> None:
        self._profiles = profiles
        self._scorecards = scorecards_
        self._matters = matters
        self._vault = vault
        self._new_id = new_id

    async def open(self, tx: Transaction, site: str, period: Period, *, actor: str) -> list[Appraisal]:
        """Open one for everybody with figures of a period that is over; again it opens for whoever came late."""
        profile = self._profiles.at(site, tx.now)
        if period.kind != profile.setting("appraisal.period"):
            raise unmet("OTHER_PERIOD", period=str(profile.setting("appraisal.period")))
        if tx.now < period.ends_at(profile.timezone):
            raise unmet("PERIOD_LASTS")
        await self._scorecards.compute(tx, site, period, actor=actor)
        known = await facts.facts(tx, site, period.first, period.end)
        people = sorted(known.keys() | (await facts.stated(tx, site, period.id)).keys())
        opened = await store.open_all(tx, site, period.id, [self._new_id() for _ in people], people)
        for one in opened:
            tx.audit(Entry(site, actor, "appraisal.open", one.name, period.id))
        return opened

    async def rate(
        self, tx: Transaction, site: str, id_: str, marks: Mapping[str, int], comment: str, *, actor: str
    ) -> Appraisal:
        """A supervisor's marks by the profile's dimensions, whole and on the scale. Not by whom they are about."""
        before = await store.get(tx, site, id_, lock=True)
        if actor == before.person:
            raise second_person("appraisals.manage")
        profile = self._profiles.at(site, tx.now)
        _on_scale(profile, marks, dimensions(profile))
        after = await self._step(
            tx, before, "collect", Facts(), actor, supervisor=actor, marks=dict(marks), comment=comment
        )
        rated = [(before.person, name, dimension(marks, names) or 0.0) for name, names in dimensions(profile).items()]
        await facts.state(tx, site, before.period, rated, source=RATED, origin=after.name, author=actor)
        return after

    async def rate_peer(self, tx: Transaction, site: str, id_: str, mark: int, *, actor: str) -> Appraisal:
        """A colleague's mark. Not one's own; who gave it is kept as a blind index, and in no log."""
        before = await store.get(tx, site, id_, lock=True)
        if actor == before.person:
            raise not_yours("COLLEAGUE")
        _on_scale(self._profiles.at(site, tx.now), {"mark": mark}, {"": ("mark",)})
        after = await self._step(tx, before, "collect", Facts(), "colleague")
        await store.rate(tx, after, self._vault.index(f"{id_}/{actor}", purpose=RATER), mark)
        return after

    async def finalise(self, tx: Transaction, site: str, id_: str, *, actor: str) -> Appraisal:
        """Bring the parts together by the profile's weights. GUARD_NOT_MET names the parts that are missing."""
        before = await store.get(tx, site, id_, lock=True)
        profile = self._profiles.at(site, tx.now)
        if (mean := await self._peers(tx, profile, before)) is not None:
            rated = [(before.person, "peer_rating", mean)]
            await facts.state(tx, site, before.period, rated, source=RATED, origin=before.name, author="colleagues")
        await self._scorecards.compute(tx, site, parse(before.period), actor=actor)
        card = await scorecards.get(tx, site, before.period, before.person)
        parts = await self._parts(tx, profile, before, card, mean)
        weights = cast("Mapping[str, float]", profile.setting("appraisal.parts") or {DATA: 100.0})
        missing = [name for name in weights if parts.get(name) is None]
        known = {name: value for name, value in parts.items() if value is not None}
        score = composite(parts, weights)
        bars = cast("Mapping[str, float]", profile.setting("appraisal.grades") or {})
        after = await self._step(
            tx,
            before,
            "finalise",
            Facts(missing=missing),
            actor,
            parts=known,
            score=score,
            grade=card.grade or grade_of(score, bars),
            misses=_misses(profile, before, card),
        )
        await scorecards.freeze_one(tx, site, before.period, before.person)
        return after

    async def publish(self, tx: Transaction, site: str, id_: str, *, actor: str) -> Appraisal:
        """Show it; the best are proposed for a reward, who failed gets coaching (TAOBAO-3-3.4)."""
        before = await store.get(tx, site, id_, lock=True)
        after = await self._step(tx, before, "publish", Facts(), actor, published_at=tx.now)
        awards = cast("Sequence[str]", self._profiles.at(site, tx.now).setting("reward.awards") or ())
        if after.grade == EXCELLENT and BONUS in awards:
            await self._follow(tx, after, REWARD, BONUS, "", actor)
        if after.grade == UNQUALIFIED:
            await self._follow(tx, after, ACTION, "COACHING", "", actor)
        return after

    async def acknowledge(self, tx: Transaction, site: str, id_: str, *, actor: str) -> Appraisal:
        """Whom it is about has read it."""
        before = await self._mine(tx, site, id_, actor)
        return await self._step(tx, before, "acknowledge", Facts(), actor)

    async def appeal(self, tx: Transaction, site: str, id_: str, reason: str, *, actor: str) -> Appraisal:
        """Whom it is about does not agree."""
        before = await self._mine(tx, site, id_, actor)
        window = rules.days(self._profiles.at(site, tx.now), "appraisal.appeal_window_d")
        late = window is not None and before.published_at is not None and tx.now > before.published_at + window
        return await self._step(tx, before, "appeal", Facts(window_open=not late), actor, appeal=reason)

    async def decide(
        self, tx: Transaction, site: str, id_: str, decision: str, *, granted: bool, actor: str
    ) -> Appraisal:
        """Uphold it, or collect anew. By neither whom it is about nor the supervisor who marked."""
        before = await store.get(tx, site, id_, lock=True)
        if actor in (before.person, before.supervisor):
            raise second_person("appraisals.manage")
        step = "grant" if granted else "uphold"
        return await self._step(tx, before, step, Facts(), actor, decision=decision, decider=actor)

    async def close(
        self, tx: Transaction, site: str, id_: str, plans: Sequence[Plan], *, outcome: str, minutes: str, actor: str
    ) -> Appraisal:
        """Close with a plan for each miss, each an action with owner and date."""
        before = await store.get(tx, site, id_, lock=True)
        unplanned = [miss for miss in before.misses if miss not in {plan.miss for plan in plans}]
        owed = Facts(
            unplanned=unplanned,
            outcome_owed=before.grade == UNQUALIFIED and outcome not in OUTCOMES,
            minutes_owed=parse(before.period).kind == QUARTER and not minutes,
        )
        after = await self._step(tx, before, "close", owed, actor, closed_at=tx.now, minutes=minutes)
        for plan in plans:
            await self._follow(tx, after, ACTION, f"PLAN_{plan.miss.upper()}", plan.action, actor, plan=plan)
        if outcome:
            await self._follow(tx, after, ACTION, outcome, "", actor)
        return after

    async def _peers(self, tx: Transaction, profile: Profile, one: Appraisal) -> float | None:
        marks = await store.ratings(tx, one)
        least = cast(int, profile.setting("appraisal.peer_raters_min") or LEAST)
        return sum(marks) / len(marks) if len(marks) >= least else None

    async def _parts(
        self, tx: Transaction, profile: Profile, one: Appraisal, card: Scorecard, peers: float | None
    ) -> dict[str, float | None]:
        scale, rating = rules.scale(profile), profile.rating
        found = parse(one.period)
        weeks = max(1, round((found.end - found.first).days / 7))
        scores = await reviewing.scores(tx, profile, until=found.end - timedelta(days=1), weeks=weeks, level=0.95)
        reviewed = scores.estimates.get(one.person)
        csat = next((line["value"] for line in card.lines if line["metric"] in ("csat", "satisfaction")), None)
        means = [dimension(one.marks, names) for names in dimensions(profile).values()]
        rated = [mean for mean in means if mean is not None]
        marked = sum(rated) / len(rated) if means and len(rated) == len(means) else None
        share = GRADE_SHARE.get(card.grade) if card.score is None else card.score / 100

        def on_scale(value: float | None) -> float | None:
            return None if value is None else normal(value, scale.worst, scale.best)

        return {
            DATA: share,
            REVIEWS: on_scale(None if reviewed is None else reviewed.value),
            CUSTOMER: None if csat is None or rating is None else normal(csat, rating.min, rating.max),
            SUPERVISOR: on_scale(marked),
            PEERS: on_scale(peers),
        }

    async def _mine(self, tx: Transaction, site: str, id_: str, actor: str) -> Appraisal:
        one = await store.get(tx, site, id_, lock=True)
        if actor != one.person:
            raise not_yours("APPRAISED")
        return one

    async def _step(
        self, tx: Transaction, before: Appraisal, transition: str, given: Facts, actor: str, **changes: Any
    ) -> Appraisal:
        step = APPRAISAL.apply(before.state, transition, given)
        after = replace(before, state=step.to_state, revision=before.revision + 1, **changes)
        await store.put(tx, after)
        tx.audit(Entry(after.site, actor, f"appraisal.{transition}", after.name, after.state))
        return after

    async def _follow(
        self, tx: Transaction, one: Appraisal, kind: str, code: str, title: str, actor: str, *, plan: Plan | None = None
    ) -> None:
        made = Matter(
            site=one.site,
            id=self._new_id(),
            kind=kind,
            state=MACHINES[kind].initial,
            revision=1,
            code=code,
            severity="",
            person=one.person if plan is None else plan.owner,
            author=actor,
            evidence=(one.name,),
            title=title or f"{code} {one.period}",
            opened_at=tx.now,
            due_at=None if plan is None else plan.due_at,
        )
        await self._matters.begin(tx, made)


def dimensions(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Dimension → its sub-scores, as the profile has them."""
    given = cast("Sequence[Mapping[str, Any]]", profile.setting("appraisal.dimensions") or ())
    return {one["id"]: tuple(one["marks"]) for one in given}


def _on_scale(profile: Profile, marks: Mapping[str, int], wanted: Mapping[str, Sequence[str]]) -> None:
    scale, names = rules.scale(profile), [name for some in wanted.values() for name in some]
    if set(marks) != set(names):
        raise InvalidArgument.field("marks", f"must be given for {', '.join(names) or 'nothing'}", "marks.complete")
    if any(not scale.worst <= mark <= scale.best for mark in marks.values()):
        raise InvalidArgument.field("marks", f"must be whole numbers from {scale.worst} to {scale.best}", "marks.scale")


def _misses(profile: Profile, one: Appraisal, card: Scorecard) -> tuple[str, ...]:
    """Indicators short of their target or their pass bar, and dimensions below the middle of the scale."""
    scale = rules.scale(profile)
    bars = cast("Mapping[str, Any]", profile.setting("scorecard.grade_thresholds") or {}).get("qualified", {})
    middle = (scale.worst + scale.best) / 2
    weak = [name for name, names in dimensions(profile).items() if (dimension(one.marks, names) or middle) < middle]
    found = [line["metric"] for line in card.lines if line["share"] is not None and line["share"] < 1]
    found += [line["metric"] for line in card.lines if _below(line, bars)]
    return tuple(dict.fromkeys([*found, *weak]))


def _below(line: Mapping[str, Any], bars: Mapping[str, float]) -> bool:
    bar, value = bars.get(line["metric"]), line["value"]
    if bar is None or value is None:
        return False
    return bool(value > bar if line["lower"] else value < bar)
