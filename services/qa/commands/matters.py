"""Beginning matters and taking their steps, by the rules of the site's profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from services.kit.access import Principal
from services.kit.audit import Entry
from services.kit.db import Transaction
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa.domain import rules
from services.qa.domain.matter import (
    APPROVALS,
    ENDS,
    MACHINES,
    MANAGE,
    PENALTY,
    PROPOSAL,
    REWARD,
    VIOLATION,
    Act,
    Matter,
    ladder_fault,
)
from services.qa.domain.scorecard import EXCELLENT
from services.qa.errors import forbidden, not_yours, unmet
from services.qa.store import appraisals, facts
from services.qa.store import matters as store
from services.qa.store.facts import Observation

# Rewards that a published appraisal has to stand behind (LIVE-2.3.3-1, MALL-6.3.1).
BY_APPRAISAL = frozenset({"BONUS", "PROMOTION", "PROMOTION_CHANCE", "CERTIFICATE"})
# Those that only the best are offered (LIVE-2.3.3-2).
BY_TOP_GRADE = frozenset({"PROMOTION"})
OPEN_TO_ALL = frozenset({"ACTION", PROPOSAL})


class Matters:
    """Commands on matters."""

    def __init__(self, profiles: SiteProfiles, new_id: Callable[[], str]) -> None:
        self._profiles = profiles
        self._new_id = new_id

    async def create(
        self,
        tx: Transaction,
        site: str,
        *,
        kind: str,
        code: str,
        severity: str,
        person: str,
        title: str,
        evidence: Sequence[str],
        amount_fen: int,
        due_at: datetime | None,
        caller: Principal,
    ) -> Matter:
        """Begin a matter. FailedPrecondition by the profile: ladder, fines, awards; PermissionDenied for the rest."""
        actor = caller.subject
        if kind not in OPEN_TO_ALL and not caller.may(MANAGE, site):
            raise not_yours("SUPERVISOR")
        if kind == PROPOSAL and person != actor:
            raise not_yours("PROPOSER")
        self._check(self._profiles.at(site, tx.now), kind, code, severity)
        if kind == REWARD and code in BY_APPRAISAL:
            await _appraised(tx, site, person, code, evidence)
        return await self.begin(
            tx,
            Matter(
                site=site,
                id=self._new_id(),
                kind=kind,
                state=MACHINES[kind].initial,
                revision=1,
                code=code,
                severity=severity,
                person=person,
                author=actor,
                evidence=tuple(evidence),
                title=title,
                opened_at=tx.now,
                amount_fen=amount_fen,
                due_at=None if kind == PENALTY else due_at,
            ),
        )

    async def begin(self, tx: Transaction, matter: Matter) -> Matter:
        """Store a matter that is in order."""
        await store.insert(tx, matter)
        tx.audit(Entry(matter.site, matter.author, f"{matter.kind.lower()}.open", matter.name, matter.code))
        return matter

    async def step(
        self, tx: Transaction, site: str, matter_id: str, transition: str, note: str, *, caller: Principal
    ) -> Matter:
        """Take a step. FailedPrecondition for one that is not declared, not open now, or whose guard is not met."""
        before = await store.get(tx, site, matter_id, lock=True)
        machine = MACHINES[before.kind]
        if transition not in {one.name for one in machine.transitions}:
            raise unmet("NO_SUCH_STEP", allowed=", ".join(machine.allowed(before.state)))
        act = Act(caller.subject, note, tx.now, before)
        step = machine.apply(before.state, transition, act, permitted=lambda needed: caller.may(needed, site))
        approved = (caller.subject,) if transition in APPROVALS or transition == "confirm" else ()
        after = replace(
            before,
            state=step.to_state,
            revision=before.revision + 1,
            approvers=before.approvers + approved,
            note=note or before.note,
            due_at=self._window(before, step.to_state, tx.now),
            ended_at=tx.now if step.to_state in ENDS else None,
        )
        await store.put(tx, after)
        await store.step(tx, after, transition, caller.subject)
        tx.audit(Entry(site, caller.subject, f"{before.kind.lower()}.{transition}", after.name, after.state))
        if (before.kind, step.to_state) == (VIOLATION, "CONFIRMED"):
            await self._observe(tx, after)
        return after

    def _check(self, profile: Profile, kind: str, code: str, severity: str) -> None:
        if kind == PENALTY:
            ladder = cast("Sequence[str]", profile.setting(f"penalty.{severity.lower()}") or ())
            lawful = bool(profile.setting("penalty.fines_lawful"))
            if (setting := ladder_fault(code, severity, ladder, fines_lawful=lawful)) is not None:
                raise forbidden(setting)
        if kind == REWARD and code not in cast("Sequence[Any]", profile.setting("reward.awards") or ()):
            raise forbidden("reward.awards")

    def _window(self, before: Matter, state: str, now: datetime) -> datetime | None:
        """Whoever is notified of a penalty may appeal for the days that the profile gives."""
        if before.kind != PENALTY or state != "NOTIFIED":
            return before.due_at
        window = rules.days(self._profiles.at(before.site, now), "penalty.appeal_window_d")
        return None if window is None else now + window

    async def _observe(self, tx: Transaction, violation: Matter) -> None:
        """A confirmed violation counts against the standards of the day on which it was reported."""
        zone = self._profiles.at(violation.site, tx.now).timezone
        day = violation.opened_at.astimezone(zone).date()
        observation = Observation(
            day, violation.person, "violation", 1.0, violation.opened_at, violation.name, violation.id
        )
        await facts.observe(tx, violation.site, [observation])


async def _appraised(tx: Transaction, site: str, person: str, code: str, evidence: Sequence[str]) -> None:
    ids = [name.rpartition("/")[2] for name in evidence if "/appraisals/" in name]
    for id_ in ids:
        grade = await appraisals.public_grade(tx, site, id_, person)
        if grade is not None and (code not in BY_TOP_GRADE or grade == EXCELLENT):
            return
    raise unmet("TOP_GRADE_NEEDED" if code in BY_TOP_GRADE else "APPRAISAL_NOT_PUBLISHED")
