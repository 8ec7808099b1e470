"""Conversations' timers: what is due is judged in the transaction in which the timer ceases to exist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from services.intake.commands.routing import Observe
from services.intake.commands.rules import RulesOf
from services.intake.commands.work import Work
from services.intake.domain.clock import What
from services.intake.domain.commands import TIMER, Tick
from services.intake.domain.decide import Context, Decision, decide
from services.intake.store import reads
from services.kit import timers
from services.kit.db import Database, Transaction
from services.kit.timers import Timer

# A conversation that a command holds is judged a moment later: waiting for it while holding its timer, which the
# command may want to set, could deadlock. Deadlines are stamped where they were, whenever somebody looks.
AGAIN: Final = timedelta(milliseconds=50)


class Ticker:
    """Judges conversations when their timers go off."""

    def __init__(self, database: Database, rules: RulesOf, *, observe: Observe) -> None:
        self._database = database
        self._rules = rules
        self._observe = observe

    async def fire(self, fired: Sequence[Timer], tx: Transaction) -> None:
        """Handle the timers of conversations."""
        keys = {(timer.site, timer.owner_id) for timer in fired}
        found = await reads.lock(tx, keys, wait=False)
        work = Work(tx, self._database.new_id)
        work.take(found.values())
        for timer in fired:
            conversation = work.find(timer.site, timer.owner_id)
            if conversation is not None:
                context = Context(self._rules.at(timer.site, tx.now), tx.now, TIMER, work.new_id)
                decision = decide(conversation, Tick(), context)
                work.add(decision, begun_in(decision))
                if conversation.waits:
                    work.route(timer.site)
        await work.save()
        if held := keys - found.keys():
            there = await reads.existing(tx, held)
            await timers.arm(tx, [later(timer, tx) for timer in fired if (timer.site, timer.owner_id) in there])
        tx.after_commit(lambda: self._observe(work.decisions))


def begun_in(decision: Decision) -> str:
    """Return the traceparent of the call that began a promise which is broken now, empty where none is kept."""
    return next((one.clock.trace for one in decision.changes if one.what is What.BREACHED and one.clock.trace), "")


def later(timer: Timer, tx: Transaction) -> Timer:
    """Return the timer of something that a command holds, set to a moment from now."""
    return Timer(*timer.key, timer.site, timer.generation, tx.now + AGAIN)
