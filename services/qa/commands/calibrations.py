"""Blind sessions that tell whether reviewers mark alike, and whether their marks may feed pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa.domain import rules
from services.qa.domain.agreement import agreement, severity
from services.qa.errors import not_yours, unmet, wrong_state
from services.qa.store import calibrations as store
from services.qa.store import recordings
from services.qa.store.calibrations import Calibration


class Calibrations:
    """Commands on calibrations."""

    def __init__(self, profiles: SiteProfiles, new_id: Callable[[], str]) -> None:
        self._profiles = profiles
        self._new_id = new_id

    async def open(
        self, tx: Transaction, site: str, series: str, ids: Sequence[str], reviewers: Sequence[str], *, actor: str
    ) -> Calibration:
        """Open a session. Raises NotFound for a recording; InvalidArgument where a reviewer would mark themselves."""
        for index, id_ in enumerate(ids):
            if (await recordings.get(tx, site, id_)).person in reviewers:
                path = f"recordings[{index}]"
                raise InvalidArgument.field(path, "is of one of the reviewers", "reviewers.not_self")
        given = (tuple(ids), tuple(reviewers), actor, tx.now)
        made = Calibration(site, self._new_id(), series, "OPEN", *given)
        await store.insert(tx, made)
        tx.audit(Entry(site, actor, "calibration.open", made.name, series))
        return made

    async def mark(
        self, tx: Transaction, site: str, id_: str, recording: str, given: int, *, actor: str
    ) -> Calibration:
        """A reviewer's mark of one recording, on the site's scale."""
        one = await store.get(tx, site, id_, lock=True)
        scale = rules.scale(self._profiles.at(site, tx.now))
        if one.state != "OPEN":
            raise wrong_state(one.name, one.state, "OPEN")
        if actor not in one.reviewers:
            raise not_yours("REVIEWER")
        if recording not in one.recordings:
            raise InvalidArgument.field("recording", "is not part of the session", "recording.known")
        if not scale.worst <= given <= scale.best:
            raise InvalidArgument.field("mark", f"must be from {scale.worst} to {scale.best}", "mark.scale")
        await store.mark(tx, one, recording, actor, given)
        return one

    async def close(self, tx: Transaction, site: str, id_: str, *, actor: str) -> Calibration:
        """Close it and say how far the reviewers agree. GUARD_NOT_MET (MARKS_MISSING) names who has not marked all."""
        one = await store.get(tx, site, id_, lock=True)
        if one.state != "OPEN":
            raise wrong_state(one.name, one.state, "OPEN")
        given = await store.marks(tx, one)
        if owed := store.missing(one, given):
            raise unmet("MARKS_MISSING", reviewers=", ".join(owed))
        # the id seeds the bootstrap, so that whoever computes it again finds the same bounds
        closed = await store.close(tx, one, agreement(given, seed=UUID(id_).int), severity(given))
        tx.audit(Entry(site, actor, "calibration.close", one.name, one.series))
        return closed


async def agreed(tx: Transaction, profile: Profile) -> bool:
    """Whether reviews may feed pay: the last session reached the profile's agreement, or it asks for none."""
    if profile.setting("review.agreement_min") is None:
        return True
    last = await store.latest(tx, profile.site)
    return last is not None and reaches(last, profile)


def reaches(one: Calibration, profile: Profile) -> bool:
    """Whether a session reached the profile's agreement."""
    least = cast("float | None", profile.setting("review.agreement_min"))
    return one.alpha is not None and (least is None or one.alpha >= least)
