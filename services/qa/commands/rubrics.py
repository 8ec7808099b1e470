"""Writing and publishing rubrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import FieldViolation, InvalidArgument
from services.policy.desk import SiteProfiles
from services.qa.domain import rules
from services.qa.domain.review import DRAFT
from services.qa.domain.rubric import Fault, rubric_faults
from services.qa.errors import second_person, wrong_state
from services.qa.store import rubrics as store
from services.qa.store.rubrics import Rubric, Titled


class Rubrics:
    """Commands on rubrics."""

    def __init__(self, profiles: SiteProfiles, new_id: Callable[[], str]) -> None:
        self._profiles = profiles
        self._new_id = new_id

    async def create(
        self, tx: Transaction, site: str, series: str, criteria: Sequence[Titled], *, actor: str
    ) -> Rubric:
        """Write the next version of a series. Raises InvalidArgument naming what is wrong with it."""
        scale = rules.scale(self._profiles.at(site, tx.now))
        refuse(rubric_faults([one.rule for one in criteria], scale), within="rubric.")
        made = await store.insert(tx, site, self._new_id(), series=series, criteria=criteria, author=actor)
        tx.audit(Entry(site, actor, "rubric.create", made.name, f"{series} {made.version}"))
        return made

    async def publish(self, tx: Transaction, site: str, rubric_id: str, *, actor: str) -> Rubric:
        """Publish a draft. PermissionDenied for its author, FailedPrecondition for what is no draft."""
        rubric = await store.get(tx, site, rubric_id, lock=True)
        if rubric.state != DRAFT:
            raise wrong_state(rubric.name, rubric.state, DRAFT)
        if rubric.author == actor:
            raise second_person("reviews.manage")
        published = await store.publish(tx, rubric, approver=actor)
        tx.audit(Entry(site, actor, "rubric.publish", rubric.name, f"{rubric.series} {rubric.version}"))
        return published


def refuse(faults: Iterable[Fault], *, within: str = "") -> None:
    """Raise InvalidArgument with each fault, if there are any."""
    if fields := [FieldViolation(f"{within}{one.path}", one.reason, "rule") for one in faults]:
        raise InvalidArgument(fields=fields)
