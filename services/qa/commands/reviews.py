"""Assigning reviews, submitting them, and what whoever was reviewed says to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kefu.common.v1 import errors_pb2
from kefu.events.v1.event_pb2 import Event, ReviewChanged

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import FailedPrecondition
from services.kit.timers.table import Timer, arm, cancel
from services.policy.desk import SiteProfiles
from services.qa.commands.rubrics import refuse
from services.qa.domain import draw, rules
from services.qa.domain.assignment import Sample, assign
from services.qa.domain.recording import EXPIRED
from services.qa.domain.review import AD_HOC, ASSIGNED, DISPUTE, DRAWN, REVIEW, RISK, Objection, Place, Review
from services.qa.domain.rubric import Answer, answer_faults, score
from services.qa.errors import not_drawn, not_yours, refused
from services.qa.store import draws, members, recordings, rubrics
from services.qa.store import reviews as store
from services.qa.store.rubrics import Rubric

OWNER_KIND: Final = "review"
DUE: Final = "due"
# What a review is for → the kind of sample that it must be.
SAMPLES: Final = {DRAWN: draw.RANDOM, RISK: draw.RISK, AD_HOC: draw.AD_HOC}


@dataclass(frozen=True, slots=True)
class Assigned:
    """What came of assigning: the reviews, recordings that nobody may review, those under review already."""

    reviews: tuple[Review, ...]
    unassigned: tuple[str, ...]
    known: tuple[str, ...]


class Reviews:
    """Commands on reviews."""

    def __init__(self, profiles: SiteProfiles, new_id: Callable[[], str], counted: Callable[[str, str], None]) -> None:
        self._profiles = profiles
        self._new_id = new_id
        self._counted = counted

    async def assign(
        self, tx: Transaction, site: str, recording_ids: Sequence[str], *, series: str, origin: str, actor: str
    ) -> Assigned:
        """Assign recordings to reviewers.

        Raises NotFound, or FailedPrecondition where no rubric is published or a recording was not drawn so.
        """
        rubric = await _published(tx, site, series)
        load = await members.load(tx, site)  # locks: from here on nobody else assigns
        known = await store.under_review(tx, site, recording_ids)
        drawn = known | await draws.drawn(tx, site, recording_ids, SAMPLES[origin])
        teams = await members.teams(tx, site)
        samples = []
        for id_ in recording_ids:
            recording = await recordings.get(tx, site, id_)
            if id_ not in drawn:
                raise not_drawn(recording.name, f"no draw has it as {SAMPLES[origin]}, or it was replaced")
            if id_ not in known:
                samples.append(Sample(id_, recording.person, teams.get(recording.person, "")))
        own_team = rules.limits(self._profiles.at(site, tx.now)).own_team
        served = [one for one in samples if one.person]
        chosen = assign(served, load, teams=teams, own_team=own_team)
        made = [
            await self._add(tx, site, one, str(chosen[one.recording]), rubric=rubric, origin=origin, actor=actor)
            for one in served
            if chosen[one.recording] is not None
        ]
        left = [one.recording for one in samples if chosen.get(one.recording) is None]
        return Assigned(tuple(made), tuple(left), tuple(one for one in recording_ids if one in known))

    async def submit(
        self,
        tx: Transaction,
        site: str,
        review_id: str,
        *,
        answers: Sequence[Answer],
        evidence: Sequence[Place],
        coaching: str,
        actor: str,
    ) -> Review:
        """Submit the marks. Raises PermissionDenied for another one than its reviewer, InvalidArgument for answers."""
        before = await _heard(tx, site, review_id)
        if actor != before.reviewer:
            raise not_yours("REVIEWER")
        step = REVIEW.apply(before.state, "submit", None)
        rubric = await rubrics.get(tx, site, before.rubric)
        scale = rules.scale(self._profiles.at(site, before.assigned_at))
        refuse(answer_faults(rubric.rules, answers, scale))
        result = score(rubric.rules, answers, scale)
        after = replace(
            before,
            state=step.to_state,
            revision=before.revision + 1,
            submitted_at=tx.now,
            score=result.value,
            failed=result.failed,
            answers=tuple(answers),
            evidence=tuple(evidence),
            coaching=coaching,
        )
        await self._put(tx, after, "submit", actor)
        await cancel(tx, [(OWNER_KIND, review_id, DUE)])
        await recordings.reviewed(tx, site, before.recording)
        if before.replaces:
            disputed = await store.get(tx, site, before.replaces, lock=True)
            resolved = REVIEW.apply(disputed.state, "resolve", None)
            changed = replace(disputed, state=resolved.to_state, revision=disputed.revision + 1)
            await self._put(tx, changed, "resolve", actor)
        return after

    async def acknowledge(self, tx: Transaction, site: str, review_id: str, *, actor: str) -> Review:
        """Acknowledge; only whoever was reviewed may."""
        before = _own(await store.get(tx, site, review_id, lock=True), actor)
        step = REVIEW.apply(before.state, "acknowledge", None)
        after = replace(before, state=step.to_state, revision=before.revision + 1)
        await self._put(tx, after, "acknowledge", actor)
        return after

    async def dispute(self, tx: Transaction, site: str, review_id: str, reason: str, *, actor: str) -> Review:
        """Dispute: the recording goes to another reviewer. FailedPrecondition by the site's limits."""
        before = _own(await _heard(tx, site, review_id), actor)
        load, teams = await members.load(tx, site), await members.teams(tx, site)
        limits = rules.limits(self._profiles.at(site, tx.now))
        sample = Sample(before.recording, before.person, teams.get(before.person, ""))
        barred = {before.recording: await store.reviewers(tx, site, before.recording)}
        other = assign([sample], load, teams=teams, own_team=limits.own_team, excluded=barred)[before.recording]
        submitted = before.submitted_at or tx.now
        objection = Objection(tx.now, submitted, before.disputes, limits, other is not None)
        step = REVIEW.apply(before.state, "dispute", objection)
        after = replace(before, state=step.to_state, revision=before.revision + 1, dispute=reason)
        await self._put(tx, after, "dispute", actor)
        rubric = await rubrics.get(tx, site, before.rubric)
        await self._add(tx, site, sample, str(other), rubric=rubric, origin=DISPUTE, actor=actor, disputed=after)
        return after

    async def due(self, timers: list[Timer], tx: Transaction) -> None:
        """These reviews' time is over: those that still wait are overdue."""
        for timer in timers:
            review = await store.get(tx, timer.site, timer.owner_id, lock=True)
            if review.state == ASSIGNED:
                await self._put(tx, replace(review, overdue=True, revision=review.revision + 1), "overdue", "timer")

    async def _add(
        self,
        tx: Transaction,
        site: str,
        sample: Sample,
        reviewer: str,
        *,
        rubric: Rubric,
        origin: str,
        actor: str,
        disputed: Review | None = None,
    ) -> Review:
        within = rules.limits(self._profiles.at(site, tx.now)).due
        made = Review(
            site=site,
            id=self._new_id(),
            recording=sample.recording,
            person=sample.person,
            reviewer=reviewer,
            rubric=rubric.id,
            origin=origin,
            state=REVIEW.initial,
            revision=1,
            assigned_at=tx.now,
            due_at=None if within is None else tx.now + within,
            replaces="" if disputed is None else disputed.id,
            disputes=0 if disputed is None else disputed.disputes + 1,
        )
        await store.insert(tx, made)
        if made.due_at is not None:
            await arm(tx, [Timer(OWNER_KIND, made.id, DUE, site, 1, made.due_at)])
        self._tell(tx, made, "assign", actor)
        return made

    async def _put(self, tx: Transaction, review: Review, transition: str, actor: str) -> None:
        await store.put(tx, review)
        self._tell(tx, review, transition, actor)

    def _tell(self, tx: Transaction, review: Review, transition: str, actor: str) -> None:
        tx.audit(Entry(review.site, actor, f"review.{transition}", review.name, review.state))
        tx.after_commit(lambda: self._counted(review.site, transition))
        fact = ReviewChanged(
            transition=transition,
            state=review.state,
            recording=f"sites/{review.site}/recordings/{review.recording}",
            person=review.person,
            reviewer=review.reviewer,
        )
        if review.score is not None:
            fact.score = review.score
        tx.publish(Event(site=review.site, aggregate=review.name, version=review.revision, review_changed=fact))


async def _heard(tx: Transaction, site: str, review_id: str) -> Review:
    """A locked review whose recording is still there, and stays meanwhile: words about it go with it."""
    review = await store.get(tx, site, review_id)
    recording = await recordings.get(tx, site, review.recording, lock=True)  # before the review, as deletion locks them
    if recording.state == EXPIRED:
        raise refused(recording.name, "its content was deleted")
    return await store.get(tx, site, review_id, lock=True)


def _own(review: Review, actor: str) -> Review:
    if actor != review.person:
        raise not_yours("REVIEWED")
    return review


async def _published(tx: Transaction, site: str, series: str) -> Rubric:
    rubric = await rubrics.published(tx, site, series)
    if rubric is None:
        metadata = {"guard": "RUBRIC_NOT_PUBLISHED", "series": series}
        raise FailedPrecondition(errors_pb2.ERROR_REASON_GUARD_NOT_MET, metadata)
    return rubric
