"""Promises to customers: recorded, kept, or broken by time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.crm.domain.commitment import Commitment
from services.crm.domain.cycles import COMMITMENT, Act
from services.crm.store import commitments, customers
from services.crm.store.words import WordStore
from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.kit.timers import Timer, arm, cancel

OWNER_KIND: Final = "commitment"
DUE: Final = "due"
PROMISE: Final = "PROMISE"
NOTE: Final = "NOTE"


@dataclass(frozen=True, slots=True)
class Commitments:
    """Commands on commitments, and the dispatcher's route of their deadlines."""

    words: WordStore
    new_id: Callable[[], str]

    async def record(
        self,
        tx: Transaction,
        site: str,
        customer: str,
        *,
        promise: str,
        due_at: datetime,
        owner: str,
        conversation: str,
        actor: str,
    ) -> Commitment:
        """Record a promise; without an owner whoever records it answers for it. Its deadline breaks it."""
        await customers.members(tx, site, customer)
        if due_at <= tx.now:
            raise InvalidArgument.field("due_time", "lies in the past; name the time by which it will be kept")
        made = Commitment(
            site, self.new_id(), customer, owner or actor, conversation, COMMITMENT.initial, tx.now, due_at
        )
        await commitments.insert(tx, made)
        await self.words.put(tx, site, customer, made.name, PROMISE, promise)
        await arm(tx, [_timer(made)])
        tx.audit(Entry(site, actor, "commitment.record", made.name, made.owner))
        return made

    async def keep(self, tx: Transaction, site: str, id_: str, *, note: str, actor: str) -> Commitment:
        """Note how it was kept. FailedPrecondition once it is kept or broken, or without a note."""
        before = await commitments.get(tx, site, id_)
        kept = await _move(tx, before, "keep", Act(actor, note=note))
        await self.words.put(tx, site, before.customer, before.name, NOTE, note)
        await cancel(tx, [_timer(before).key])
        return kept

    async def fire(self, timers: list[Timer], tx: Transaction) -> None:
        """Break what was not kept in time."""
        for timer in timers:
            site, _, id_ = timer.owner_id.partition("/")
            before = await commitments.get(tx, site, id_)
            if before.state == COMMITMENT.initial:
                await _move(tx, before, "break", Act("timer"))


async def _move(tx: Transaction, before: Commitment, transition: str, act: Act) -> Commitment:
    step = COMMITMENT.apply(before.state, transition, act)
    after = replace(before, state=step.to_state, ended_at=tx.now)
    await commitments.end(tx, after)
    tx.audit(Entry(before.site, act.actor, f"commitment.{transition}", before.name))
    return after


def _timer(one: Commitment) -> Timer:
    return Timer(OWNER_KIND, f"{one.site}/{one.id}", DUE, one.site, 1, one.due_at)
