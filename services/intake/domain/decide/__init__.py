"""Decisions: what a command makes of a conversation, as a pure function.

`decide` and `open_new` read no clock, no database and no configuration; what they may know is in their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.intake.domain import commands
from services.intake.domain.commands import Command
from services.intake.domain.conversation import Conversation
from services.intake.domain.decide import calls, ending, messages, serving, timers
from services.intake.domain.decide.draft import Context, Decision, Draft
from services.intake.domain.decide.guards import own
from services.intake.domain.decide.opening import customers_own, open_new, queue_of

__all__ = ["Context", "Decision", "customers_own", "decide", "open_new", "own", "queue_of"]

_DECIDERS: Final[Mapping[type[Any], Callable[[Draft, Any], None]]] = {
    commands.Append: messages.append,
    commands.Accept: serving.accept,
    commands.Decline: serving.decline,
    commands.RecordNeed: serving.record_need,
    commands.Transfer: serving.transfer,
    commands.Hold: serving.hold,
    commands.Resume: serving.resume,
    commands.Escalate: serving.escalate,
    commands.Offer: serving.offer,
    commands.Release: serving.release,
    commands.Close: ending.close,
    commands.Rate: ending.rate,
    commands.Leave: ending.leave,
    commands.Redirect: ending.redirect,
    commands.ReportHarassment: ending.report_harassment,
    commands.ReleaseHold: ending.release_hold,
    commands.Reopen: ending.reopen,
    commands.Ring: calls.ring,
    commands.HangUp: calls.hang_up,
    commands.Tick: timers.tick,
}


def decide(conversation: Conversation, command: Command, context: Context) -> Decision:
    """Return what the command makes of the conversation; raises a Refusal where it cannot be done."""
    own(conversation, context.caller)
    draft = Draft.on(conversation, context)
    _DECIDERS[type(command)](draft, command)
    return draft.done()
