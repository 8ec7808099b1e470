"""Promises to come back: planned, done, cancelled by people; due and missed by the timer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kefu.events.v1 import event_pb2

from services.intake import errors
from services.intake.commands.timers import later
from services.intake.domain import follow_up as rules
from services.intake.domain.follow_up import FollowUp, State
from services.intake.domain.refusal import InvalidField, Refusal
from services.intake.events import timestamp
from services.intake.store import follow_ups as store
from services.kit import timers
from services.kit.db import Transaction
from services.kit.errors import NotFound
from services.kit.timers import Timer

OWNER_KIND: Final = "follow_up"
WAKE: Final = "wake"


async def create(
    tx: Transaction,
    *,
    id_: str,
    site: str,
    conversation: str,
    due_at: datetime,
    miss_at: datetime | None,
    person: str,
    note: str,
    actor: str,
) -> FollowUp:
    """Plan to come back. Raises InvalidArgument for times that make no plan and for a person who does not work here."""
    try:
        due, missed = rules.checked_times(due_at, miss_at, tx.now)
    except Refusal as refused:
        raise errors.of_refusal(refused) from refused
    if not person:
        raise errors.of_refusal(InvalidField("follow_up.person", "nobody is accountable yet: name who comes back"))
    if not await store.works_here(tx, site, person):
        raise errors.of_refusal(InvalidField("follow_up.person", "does not work at this site"))
    planned = FollowUp(
        site, conversation, id_, State.SCHEDULED, 1, due, missed, person, note, "", created_at=tx.now, updated_at=tx.now
    )
    await store.insert(tx, planned)
    await _told(tx, [planned], actor)
    return planned


async def move(
    tx: Transaction, *, site: str, conversation: str, id_: str, transition: str, actor: str, outcome: str = ""
) -> FollowUp:
    """Complete or cancel it. Raises NotFound, or FailedPrecondition WRONG_STATE when it is over."""
    planned = await store.get(tx, site, conversation, id_, lock=True)
    if planned is None:
        raise NotFound
    steps = planned.ticked(tx.now)
    if steps:  # time was faster than the timer
        planned = steps[-1]
    try:
        after = planned.moved(transition, tx.now, outcome=outcome)
    except Refusal as refused:
        raise errors.of_refusal(refused) from refused
    await store.save(tx, [after])
    await _told(tx, [*steps, after], actor)
    return after


async def read(tx: Transaction, site: str, conversation: str, id_: str) -> FollowUp:
    """Return one. Raises NotFound."""
    found = await store.get(tx, site, conversation, id_)
    if found is None:
        raise NotFound
    return found


async def fire(fired: list[Timer], tx: Transaction) -> None:
    """Let time do its part: SCHEDULED becomes DUE, DUE becomes MISSED. Route of the timers' dispatcher.

    One that `move` holds is judged a moment later: it may want to set the timer that is held here.
    """
    due = {timer.owner_id: timer.due_at for timer in fired}
    moved: list[FollowUp] = []
    steps: list[FollowUp] = []
    found = await store.lock_free(tx, list(due))
    for planned in found:
        # the database said that it is due; this process's clock may lag by a moment
        taken = planned.ticked(max(tx.now, due[planned.id]))
        if taken:
            steps += taken
            moved.append(taken[-1])
    if moved:
        await store.save(tx, moved)
        await _told(tx, steps, "timer")
    if held := due.keys() - {planned.id for planned in found}:
        there = await store.existing(tx, sorted(held))
        await timers.arm(tx, [later(timer, tx) for timer in fired if timer.owner_id in there])


async def _told(tx: Transaction, steps: Sequence[FollowUp], actor: str) -> None:
    """Publish each step, and set or clear the timer by the last one of each."""
    for step in steps:
        tx.publish(
            event_pb2.Event(
                site=step.site,
                aggregate=step.name,
                version=step.version,
                actor="timer" if step.state in {State.DUE, State.MISSED} else actor,
                occurred_at=timestamp(step.updated_at),
                follow_up_changed=event_pb2.FollowUpChanged(follow_up=step.name, state=step.state),
            )
        )
    latest = {step.id: step for step in steps}.values()
    await timers.cancel(tx, [(OWNER_KIND, one.id, WAKE) for one in latest if one.wakes_at is None])
    await timers.arm(
        tx,
        [
            Timer(OWNER_KIND, one.id, WAKE, one.site, one.version, wake)
            for one in latest
            if (wake := one.wakes_at) is not None
        ],
    )
