"""A word with an old customer: done with a note, or skipped with a reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from services.crm.domain.cycles import TASK, Act
from services.crm.store import contact_tasks
from services.crm.store.contact_tasks import Task
from services.crm.store.words import WordStore
from services.kit.audit import Entry
from services.kit.db import Transaction

NOTE: Final = "NOTE"


@dataclass(frozen=True, slots=True)
class ContactTasks:
    """Commands on contact tasks."""

    words: WordStore

    async def complete(self, tx: Transaction, site: str, id_: str, *, note: str, actor: str) -> Task:
        """Note what came of it. FailedPrecondition without a note, or once it has ended."""
        return await self._end(tx, site, id_, "complete", Act(actor, note=note), note)

    async def skip(self, tx: Transaction, site: str, id_: str, *, reason: str, actor: str) -> Task:
        """Let it be, and say why."""
        return await self._end(tx, site, id_, "skip", Act(actor, reason=reason), reason)

    async def _end(self, tx: Transaction, site: str, id_: str, transition: str, act: Act, words: str) -> Task:
        before = await contact_tasks.get(tx, site, id_)
        step = TASK.apply(before.state, transition, act)
        after = replace(before, state=step.to_state, ended_at=tx.now, ended_by=act.actor)
        await contact_tasks.end(tx, after)
        await self.words.put(tx, site, after.customer, after.name, NOTE, words)
        tx.audit(Entry(site, act.actor, f"contact_task.{transition}", after.name))
        return after
