"""The routing pass: one at a time per site, in one transaction, started by the site's timer.

The timer is armed in the transaction of whatever changed the line or somebody's capacity, so that the pass happens even
when that process dies. Conversations that a command holds at this moment, or whose timer goes off elsewhere, are left
to the next pass: waiting for them while holding people and the site's timer could deadlock with who wants those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from services.intake import events
from services.intake.commands.rules import RulesOf
from services.intake.commands.work import CONVERSATION, NEXT, Work
from services.intake.domain import routing, surge
from services.intake.domain.commands import ROUTER, Offer
from services.intake.domain.conversation import Conversation
from services.intake.domain.decide import Context, Decision, decide
from services.intake.domain.routing import Agent, Waiting
from services.intake.domain.rules import SiteRules
from services.intake.domain.values import State
from services.intake.store import reads, sites
from services.intake.store.sites import InLine
from services.kit import timers
from services.kit.db import Database, Transaction
from services.kit.timers import Timer

LINE: Final = 1_000
AGAIN_SECONDS: Final = 0.05

Observe = Callable[[Sequence[Decision]], None]


class Router:
    """Gives out work."""

    def __init__(self, database: Database, rules: RulesOf, *, observe: Observe) -> None:
        self._database = database
        self._rules = rules
        self._observe = observe

    async def fire(self, fired: Sequence[Timer], tx: Transaction) -> None:
        """Handle the timers of sites."""
        for site in sorted({timer.site for timer in fired}):
            await self.route(site, tx)

    async def route(self, site: str, tx: Transaction) -> None:
        """Offer what waits to who is free."""
        rules = self._rules.at(site, tx.now)
        await self._judge_surge(site, rules, tx)
        agents = await sites.free(tx, site)
        line = await sites.waiting(tx, site, without=_unserved(agents, rules), at_most=LINE) if agents else ()
        if not line:
            return
        offers = routing.match(_waiting(line, agents, rules), agents, rules.routing, tx.now)
        work = Work(tx, self._database.new_id)
        work.take(await self._free(tx, [(site, one.conversation) for one in offers]))
        for one in offers:
            conversation = work.find(site, one.conversation)
            if conversation is None or not conversation.waits:
                work.route(site, after_s=AGAIN_SECONDS)
                continue
            context = Context(rules, tx.now, ROUTER, work.new_id)
            work.add(decide(conversation, Offer(one.person), context), "")
        if len(line) == LINE and work.decisions:
            work.route(site, after_s=AGAIN_SECONDS)
        await work.save()
        tx.after_commit(lambda: self._observe(work.decisions))

    async def _free(self, tx: Transaction, keys: Sequence[reads.Key]) -> list[Conversation]:
        """Lock and return those that nobody else holds, whose timers nobody else holds either."""
        found = await reads.lock(tx, keys, wait=False)
        firing = await timers.hold(tx, [(CONVERSATION, id_, NEXT) for _, id_ in found])
        return [c for c in found.values() if (CONVERSATION, c.id, NEXT) not in firing]

    async def _judge_surge(self, site: str, rules: SiteRules, tx: Transaction) -> None:
        held = await sites.hold(tx, site)
        online = await sites.online(tx, site)
        turn = surge.turn(rules.profile.routing.surge, online, active=held.surge)
        if turn is None and online == held.customers_online:
            return
        active = held.surge if turn is None else turn is surge.Turn.ENTERED
        version = await sites.note(tx, site, surge=active, customers_online=online)
        if turn is not None:
            tx.publish(events.surge_changed(site, active=active, online=online, at=tx.now, version=version))


def _unserved(agents: Sequence[Agent], rules: SiteRules) -> list[str]:
    """Return the queues that nobody free may serve: however long they are, others must not wait behind them."""
    skilled = [agent.skills for agent in agents if agent.certified]
    return [
        name for name, queue in rules.profile.queues.items() if not any(queue.skills <= skills for skills in skilled)
    ]


def _waiting(line: Iterable[InLine], agents: Sequence[Agent], rules: SiteRules) -> list[Waiting]:
    skills = {name: queue.skills for name, queue in rules.profile.queues.items()}
    return [_one(entry, agents, skills) for entry in line]


def _one(entry: InLine, agents: Sequence[Agent], skills: Mapping[str, frozenset[str]]) -> Waiting:
    promised = min((clock for clock in entry.clocks if clock.open), key=lambda clock: clock.due_at, default=None)
    needed = skills.get(entry.queue, frozenset())
    return Waiting(
        conversation=entry.id,
        since=entry.queued_at,
        skills=needed,
        tier=entry.tier,
        due_at=promised.due_at if promised else None,
        target_s=promised.target_s if promised else 0.0,
        owner="" if entry.state == State.HANDOFF_PENDING else entry.owner,
        refused=_refused(entry, agents, needed),
    )


def _refused(entry: InLine, agents: Sequence[Agent], needed: frozenset[str]) -> frozenset[str]:
    """Spare those who gave it back, unless nobody else is free; an owner never gets their own hand-over."""
    owner = frozenset({entry.owner} if entry.state == State.HANDOFF_PENDING else ())
    others = any(agent.person not in entry.refused and needed <= agent.skills for agent in agents)
    return entry.refused | owner if others else owner
