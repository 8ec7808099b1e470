"""From the offer to the hand-over: who has the conversation, and what they find out."""

from __future__ import annotations

from typing import Final

from services.intake.domain import machine
from services.intake.domain.clock_board import Fact
from services.intake.domain.commands import (
    Accept,
    Decline,
    Escalate,
    Hold,
    Offer,
    RecordNeed,
    Release,
    Resume,
    Transfer,
)
from services.intake.domain.decide import guards
from services.intake.domain.decide.draft import Draft
from services.intake.domain.refusal import GuardNotMet, InvalidField, LimitReached, NoCapacity
from services.intake.domain.values import PHONE, AuthorKind, CallState, Cause, MessageKind, State

AGENT: Final = "{agent}"  # what an opening writes in the place of the name


def offer(draft: Draft, command: Offer) -> None:
    """The router found somebody."""
    if not draft.c.waits:
        raise machine.wrong_state("offer", draft.c.state)
    draft.move("offer")
    draft.assign(command.person, Cause.ROUTED)


def accept(draft: Draft, command: Accept) -> None:
    """Take it: from here on the caller is accountable."""
    c = draft.c
    machine.check("accept", c.state)
    guards.offeree(draft)
    c.refused, c.accountable_owner = (), draft.caller.subject
    c.silent = c.channel != PHONE  # who speaks on a telephone leaves no message
    if c.state is State.HANDOFF_PENDING:
        draft.move("accept", fact=Fact.ACCEPTED)
    else:
        to = State.RECEPTION if guards.reception_missing(draft) else State.SERVING
        draft.move("accept", to, fact=_pick_up(draft))
    draft.assign(draft.caller.subject, Cause.ACCEPTED)
    if draft.before is not None and draft.before.state is State.ASSIGNED:
        _open(draft, command.name or draft.caller.subject)


def _open(draft: Draft, name: str) -> None:
    """Say the site's opening in the name of who took it. Nobody has answered anything by that."""
    opening = draft.profile.reception.opening
    if opening and draft.c.channel != PHONE:
        draft.say(MessageKind.GREETING, opening.replace(AGENT, name), AuthorKind.AGENT, Fact.GREETED)


def _pick_up(draft: Draft) -> Fact | None:
    c = draft.c
    if c.channel != PHONE or c.call_state is not CallState.RINGING:
        return None
    c.call_state, c.answered_at = CallState.TALKING, draft.now
    c.first_response_at = c.first_response_at or draft.now
    return Fact.PICKED_UP


def decline(draft: Draft, command: Decline) -> None:
    """Give it back: to the queue with its old waiting time, or to the owner who wanted to hand it over."""
    c = draft.c
    machine.check("decline", c.state)
    guards.offeree(draft)
    draft.note(command.reason)
    _give_back(draft, "decline", Cause.RELEASED)


def release(draft: Draft, command: Release) -> None:
    """Somebody went away with an offer unanswered: it goes on without them."""
    c = draft.c
    if c.assignee == command.person and c.state in {State.ASSIGNED, State.HANDOFF_PENDING}:
        _give_back(draft, "takeBack", Cause.RELEASED)


def take_back(draft: Draft) -> None:
    """Silence: somebody else gets it."""
    _give_back(draft, "takeBack", Cause.TAKEN_BACK)


def _give_back(draft: Draft, transition: str, cause: Cause) -> None:
    c = draft.c
    person = c.assignee
    if person not in c.refused:
        c.refused = (*c.refused, person)
    if c.state is not State.HANDOFF_PENDING:
        draft.move(transition, State.QUEUED)
        draft.assign("", cause)
    elif c.handed_to_person or transition == "decline":
        # Refusing a hand-over, or not answering one meant for oneself, leaves it with who is accountable.
        draft.move(transition, State.SERVING, fact=Fact.DECLINED)
        draft.assign(c.accountable_owner, cause)
    else:
        draft.move(transition, State.HANDOFF_PENDING)
        draft.assign("", cause)


def record_need(draft: Draft, command: RecordNeed) -> None:
    """Need and source are known: reception is over once nothing that the site asks for is missing."""
    c = draft.c
    machine.check("recordNeed", c.state)
    guards.holder(draft)
    c.need, c.source = command.need or c.need, command.source or c.source
    missing = guards.reception_missing(draft)
    if missing:
        raise GuardNotMet(missing)
    draft.move("recordNeed")


def transfer(draft: Draft, command: Transfer) -> None:
    """Offer it to another queue or person; the accountable owner stays until somebody accepts."""
    c, profile = draft.c, draft.profile
    machine.check("transfer", c.state)
    guards.holder(draft)
    if bool(command.queue) == bool(command.person):
        raise InvalidField("queue", "name either a queue or a person")
    if command.queue and command.queue not in profile.queues:
        raise InvalidField("queue", "this site has no such queue")
    if command.person and command.person == c.assignee:
        raise InvalidField("person", "has it already")
    limit = profile.routing.max_transfers
    if limit is not None and c.transfers >= limit and not draft.caller.supervisor:
        raise LimitReached("routing.max_transfers")
    if command.person:
        _fit(command)
    draft.note(command.reason)
    c.accountable_owner = c.accountable_owner or c.assignee
    c.transfers += 1
    c.handed_to_person = bool(command.person)
    c.queued_at, c.refused = draft.now, (c.accountable_owner,)
    c.queue = command.queue or c.queue
    draft.move("transfer", fact=Fact.TRANSFERRED)
    draft.assign(command.person, Cause.TRANSFERRED)


def _fit(command: Transfer) -> None:
    target = command.target
    if target is None:
        raise InvalidField("person", "nobody of this site")
    if not target.certified:
        raise GuardNotMet("CERTIFIED")
    if not target.takes_work:
        raise NoCapacity


def hold(draft: Draft, _: Hold) -> None:
    """Promise a call back after verification."""
    machine.check("holdForVerification", draft.c.state)
    guards.holder(draft)
    draft.c.silent = False  # from here on the promise of the call back counts
    draft.move("holdForVerification", fact=Fact.HELD)


def resume(draft: Draft, _: Resume) -> None:
    """Verified: the next words to the customer keep the promise."""
    machine.check("resume", draft.c.state)
    guards.holder(draft)
    draft.move("resume", fact=Fact.RESUMED)


def escalate(draft: Draft, _: Escalate) -> None:
    """From the bot to a person."""
    draft.c.bot_until = None
    draft.move("escalate")
    draft.enqueue()
