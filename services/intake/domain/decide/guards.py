"""Who may do what to a conversation, beyond the permission that the contract asks for."""

from __future__ import annotations

from services.intake.domain.commands import Append, Caller
from services.intake.domain.conversation import Conversation
from services.intake.domain.decide.draft import Draft
from services.intake.domain.refusal import Forbidden, GuardNotMet, NotAssignee
from services.intake.domain.values import CallerKind, State


def own(conversation: Conversation, caller: Caller) -> None:
    """A customer touches only their own conversations, and learns nothing about others."""
    if caller.kind is CallerKind.CUSTOMER and (not caller.customer or conversation.customer != caller.customer):
        raise Forbidden


def holder(draft: Draft) -> None:
    """Only who has it may go on with it: the assignee, the owner during a hand-over, or a supervisor."""
    c, caller = draft.c, draft.caller
    has_it = c.accountable_owner if c.state is State.HANDOFF_PENDING else c.assignee
    if caller.subject != has_it and not caller.supervisor:
        raise NotAssignee


def offeree(draft: Draft) -> None:
    """Only to whom it is offered may answer the offer."""
    if draft.caller.subject != draft.c.assignee:
        raise NotAssignee


def reception_missing(draft: Draft) -> str | None:
    """Return the first thing that the site wants on record before serving and is not, or None."""
    have = {"NEED": draft.c.need, "SOURCE": draft.c.source}
    return next((step for step in sorted(draft.profile.reception.required) if not have.get(step)), None)


def greeting(draft: Draft, command: Append) -> None:
    """Where the site wants it, an agent's greeting names the agent."""
    if draft.profile.reception.names_agent and command.author_name not in command.text:
        raise GuardNotMet("AGENT_NAME")


def closing(draft: Draft, *, asked: bool, farewell: bool) -> None:
    """What the site wants done before the end; raises GuardNotMet for the first that is not."""
    done = {"SUMMARY": bool(draft.c.summary), "ASKED_ANYTHING_ELSE": asked, "FAREWELL": farewell}
    for step in draft.profile.closing.required:
        if not done.get(step, True):
            raise GuardNotMet(step)
