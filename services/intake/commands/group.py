"""Commands in groups: one transaction for those that wait at the same time, one decision for each.

A refused command never fails its neighbours. Several commands on one conversation apply in order. Who was first is
settled by row locks and unique constraints: where two processes open the same conversation at once, the second one's
group is undone, its commands run again one by one, and then find what the first one stored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import asyncpg

from services.intake import errors
from services.intake.commands.job import Job, Outcome, R, burst_key
from services.intake.commands.rules import RulesOf
from services.intake.commands.work import Work
from services.intake.domain.commands import Accept, Append, Command, Open, Target, Transfer
from services.intake.domain.conversation import Conversation, Message
from services.intake.domain.decide import Context, Decision, customers_own, decide, open_new, own, queue_of
from services.intake.domain.refusal import Forbidden, Missing, Refusal
from services.intake.domain.values import ONLINE, CallerKind, MessageKind, State
from services.intake.store import reads
from services.intake.store.reads import Stored
from services.kit import call
from services.kit.db import Database, Transaction
from services.kit.errors import Aborted, KefuError
from services.kit.group_commit import GroupCommit
from services.kit.uow import Reply, reused

AnyJob: TypeAlias = Job[Any]
# Site, person and sealed name → the name.
PersonName: TypeAlias = Callable[[str, str, bytes], str]

# How often a command that meets a twin's traces is tried: each time the twin has got further.
_TRIES: Final = 5
# One lane with a moment's patience makes groups twice as full as two lanes without: docs/decisions/0101 and 0119.
_LINGER_SECONDS: Final = 0.004


class Commands:
    """Runs commands on conversations."""

    def __init__(
        self,
        database: Database,
        rules: RulesOf,
        *,
        observe: Callable[[Sequence[Decision]], None],
        person_name: PersonName,
        bot_patience_s: float,
    ) -> None:
        self._database = database
        self._rules = rules
        self._observe = observe
        self._person_name = person_name
        self._bot_patience_s = bot_patience_s
        self._groups: GroupCommit[AnyJob, Any] = GroupCommit(
            self._run, key=lambda job: job.key, unique=lambda job: job.request, lanes=1, linger_seconds=_LINGER_SECONDS
        )

    async def run(self, job: Job[R]) -> R:
        """Run a command with its neighbours; returns its reply. Raises KefuError for whatever refuses it."""
        reply: R = await self._groups.submit(job)
        return reply

    async def close(self) -> None:
        """Wait for what was begun."""
        await self._groups.close()

    async def _run(self, jobs: list[AnyJob]) -> list[Any]:
        # The group's own call: its work must not end with the deadline of whoever happened to come first.
        with call.bind(call.system_call("intake.group")):
            if len(jobs) > 1:
                return await self._once(jobs)
            for _ in range(_TRIES):
                # A twin elsewhere was faster; what it stored is found now.
                with contextlib.suppress(asyncpg.UniqueViolationError):
                    return await self._once(jobs)
            raise Aborted

    async def _once(self, jobs: list[AnyJob]) -> list[Any]:
        try:
            async with self._database.transaction(sites=sorted({job.site for job in jobs})) as tx:
                return await self.apply(tx, jobs)
        except asyncpg.CheckViolationError as error:
            if error.constraint_name == "agents_capacity":
                raise errors.no_capacity() from error
            raise

    async def apply(self, tx: Transaction, jobs: Sequence[AnyJob]) -> list[Any]:
        """Run commands in a transaction; returns a reply or an exception for each."""
        work = Work(tx, self._database.new_id)
        group = _Group(work, self._rules, self._person_name, self._bot_patience_s)
        await group.load(jobs)
        answers = [group.answer(job) for job in jobs]
        if work.decisions or work.replies:
            await self._rules.remember(tx, {decision.after.profile_version for decision in work.decisions})
            await work.save()
            tx.after_commit(lambda: self._observe(work.decisions))
        return answers


class _Group:
    """Loads what a group needs and decides its commands, one after the other."""

    def __init__(self, work: Work, rules: RulesOf, person_name: PersonName, bot_patience_s: float) -> None:
        self._work = work
        self._rules = rules
        self._person_name = person_name
        self._bot_patience_s = bot_patience_s
        self._stored: dict[int, Stored] = {}
        self._sent: dict[tuple[str, str, str], Message] = {}
        self._known = reads.Known()
        self._people: Mapping[reads.Key, Target] = {}

    async def load(self, jobs: Sequence[AnyJob]) -> None:
        """Lock and load what the commands speak of."""
        tx, work = self._work.tx, self._work
        known = [(number, job) for number, job in enumerate(jobs) if job.id]
        asked = [(job.site, job.id, *(job.request or ("", ""))) for _, job in known]
        conversations, stored = await reads.lock_with_replies(tx, asked)
        work.take(conversations)
        self._stored = {id(known[place][1]): reply for place, reply in stored.items()}
        await self._load_opens([(job, job.command) for job in jobs if isinstance(job.command, Open)])
        await self._load_known(jobs)
        twice = [
            (job.site, job.id, job.command.external_id)
            for job in jobs
            if isinstance(job.command, Append) and job.command.external_id
        ]
        self._sent = await reads.sent_before(tx, twice)
        self._people = await reads.targets(tx, [key for job in jobs if (key := self._person(job))])

    async def _load_opens(self, opens: Sequence[tuple[AnyJob, Open]]) -> None:
        external = [(job.site, open_.channel, open_.external_id) for job, open_ in opens if open_.external_id]
        bursts = [(job.site, key) for job, open_ in opens if (key := self._burst_key(job, open_))]
        self._work.take(await reads.lock_found(self._work.tx, external, bursts))

    async def _load_known(self, jobs: Sequence[AnyJob]) -> None:
        """Load what the first words of a conversation are judged by, whether they open it or come after entering."""
        asking: list[tuple[str, str, str, str]] = []
        for job in jobs:
            if isinstance(job.command, Open):
                asking.append((job.site, job.command.customer, *(job.request or ("", ""))))
            elif isinstance(job.command, Append):
                entered = self._work.find(job.site, job.id)
                if entered is not None and entered.state is State.NEW:
                    asking.append((job.site, entered.customer, "", ""))
        self._known = await reads.known(self._work.tx, asking)
        for job in jobs:
            if job.request and (reply := self._known.stored.get(job.request)):
                self._stored[id(job)] = reply
        await self._load_repeated([stored.reply for stored in self._known.stored.values()])

    async def _load_repeated(self, kept: Sequence[bytes]) -> None:
        """Load what earlier replies opened: people's words are not kept with the reply."""
        keys = [key for reply in kept if (key := _key_of(reply)) is not None]
        missing = [key for key in keys if self._work.find(*key) is None]
        self._work.take((await reads.lock(self._work.tx, missing)).values())

    def answer(self, job: AnyJob) -> Any:
        """Return the reply to a command, or the error that refuses it."""
        try:
            stored = self._stored.get(id(job))
            if stored is not None:
                if stored.fingerprint != job.call.fingerprint:
                    return reused(job.call.request_id or "")
                return job.answer.again(stored.reply, self._again(stored.reply))
            command = job.command
            outcome = self._open(job, command) if isinstance(command, Open) else self._change(job, command)
            reply = job.answer.reply(outcome)
        except Refusal as refused:
            return errors.of_refusal(refused)
        except KefuError as error:
            return error
        if job.request:
            kept = Reply(*job.request, job.call.method, job.call.fingerprint, job.answer.keep(reply))
            self._work.replies.append(kept)
        return reply

    def _again(self, kept: bytes) -> Conversation | None:
        key = _key_of(kept)
        return None if key is None else self._work.find(*key)

    def _change(self, job: AnyJob, command: Command) -> Outcome:
        conversation = self._work.find(job.site, job.id)
        if conversation is None:
            # A customer must not learn from the answer which ids exist.
            raise Forbidden if job.caller.kind is CallerKind.CUSTOMER else Missing
        if isinstance(command, Append):
            sent = self._sent.get((job.site, job.id, command.external_id)) if command.external_id else None
            if sent is not None:
                own(conversation, job.caller)
                return Outcome(conversation, sent)
            if self._bot_patience_s:
                command = replace(command, surge=job.site in self._known.surges, bot_patience_s=self._bot_patience_s)
            if command.kind is MessageKind.GREETING:
                command = replace(command, author_name=self._name(job))
        elif isinstance(command, Accept):
            command = replace(command, name=self._name(job))
        elif isinstance(command, Transfer) and command.person:
            command = replace(command, target=self._people.get((job.site, command.person)))
        return self._decided(job, decide(conversation, command, self._context(job)))

    def _person(self, job: AnyJob) -> reads.Key | None:
        """Return whom a command speaks of: who is handed a conversation, or who greets in their own name."""
        command = job.command
        if isinstance(command, Transfer):
            return (job.site, command.person) if command.person else None
        greets = isinstance(command, Accept) or (isinstance(command, Append) and command.kind is MessageKind.GREETING)
        if not greets or job.caller.kind is not CallerKind.PERSON or self._work.find(job.site, job.id) is None:
            return None
        reception = self._rules.at(job.site, self._work.now).profile.reception
        return (job.site, job.caller.subject) if reception.opening or reception.names_agent else None

    def _name(self, job: AnyJob) -> str:
        """Return the caller's name, where a greeting needs it and it is known."""
        person = self._people.get((job.site, job.caller.subject))
        return self._person_name(job.site, person.person, person.name_sealed) if person else ""

    def _open(self, job: AnyJob, command: Open) -> Outcome:
        context = self._context(job)
        customers_own(command, context)
        key = self._burst_key(job, command)
        again = self._work.find_external(job.site, command.channel, command.external_id)
        known = again or self._in_burst(job.site, key, context)
        if known is not None:
            own(known, job.caller)
            if again is not None or not command.text:
                return Outcome(known)
            surge = job.site in self._known.surges
            words = Append(MessageKind.TEXT, command.text, surge=surge, bot_patience_s=self._bot_patience_s)
            return self._decided(job, decide(known, words, context))
        earlier = self._work.find_burst(job.site, key)
        if earlier is not None:
            freed = earlier.copy()
            freed.burst_key = ""
            self._work.replace(freed)
        command = replace(
            command,
            tier=self._known.tiers.get((job.site, command.customer), command.tier),
            surge=job.site in self._known.surges,
            bot_patience_s=self._bot_patience_s,
        )
        return self._decided(job, open_new(command, context, burst=key))

    def _in_burst(self, site: str, key: str, context: Context) -> Conversation | None:
        """Return the open conversation to which the customer's words belong, if they come soon enough."""
        found = self._work.find_burst(site, key)
        if found is None or found.state not in ONLINE:
            return None
        silent = (context.now - found.customer_at).total_seconds()
        return found if silent <= context.rules.profile.routing.burst_window_s else None

    def _burst_key(self, job: AnyJob, command: Open) -> str:
        """Return the burst key with the queue worked out; empty where the site refuses queue or channel anyway."""
        try:
            return burst_key(command, queue_of(command, self._context(job)))
        except (Refusal, KefuError):
            return ""

    def _context(self, job: AnyJob) -> Context:
        rules = self._rules.at(job.site, self._work.now)
        trace = job.call.trace
        kept = trace.traceparent if trace.sampled else ""
        return Context(rules, self._work.now, job.caller, self._work.new_id, kept)

    def _decided(self, job: AnyJob, decision: Decision) -> Outcome:
        trace = job.call.trace
        self._work.add(decision, trace.traceparent if trace.sampled or trace.inherited else "")
        return Outcome(decision.after, decision.messages[-1] if decision.messages else None)


def _key_of(kept: bytes) -> reads.Key | None:
    """Return which conversation a kept reply is about: its first field is the name."""
    if not kept or kept[0] != 0x0A:
        return None
    parts = kept[2 : 2 + kept[1]].decode().split("/")
    return (parts[1], parts[3]) if len(parts) >= 4 else None
