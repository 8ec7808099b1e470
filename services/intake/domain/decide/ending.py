"""How a conversation ends: closed and rated, left, redirected, held for harassment, opened again."""

from __future__ import annotations

from datetime import timedelta

from services.intake.domain import machine
from services.intake.domain.clock_board import Fact
from services.intake.domain.commands import (
    Close,
    Leave,
    Rate,
    RecordNeed,
    Redirect,
    ReleaseHold,
    Reopen,
    ReportHarassment,
)
from services.intake.domain.decide import guards
from services.intake.domain.decide.draft import Draft
from services.intake.domain.decide.messages import reopen as reopen_matter
from services.intake.domain.decide.serving import record_need
from services.intake.domain.history import Rated
from services.intake.domain.refusal import InvalidField, ProfileForbids
from services.intake.domain.values import PHONE, CallState, State


def close(draft: Draft, command: Close) -> None:
    """Close after the site's steps; the customer may rate for a while, unless they are not asked to."""
    c = draft.c
    if c.state is State.RECEPTION and (command.need or command.source):
        record_need(draft, RecordNeed(command.need, command.source))
    machine.check("close", c.state)
    guards.holder(draft)
    c.need, c.source = command.need or c.need, command.source or c.source
    c.summary = command.summary or c.summary
    guards.closing(draft, asked=command.asked_anything_else, farewell=command.farewell)
    window = draft.profile.closing.rating_window_s
    asks = window is not None and draft.profile.rating is not None
    if asks and window is not None:
        c.rating_until = draft.now + timedelta(seconds=window)
    if c.call_state is CallState.TALKING:
        c.call_state = CallState.AGENT_HUNG_UP
    _end(draft, "close", State.AWAITING_RATING if asks else State.CLOSED)


def rate(draft: Draft, command: Rate) -> None:
    """The customer's mark, once."""
    c, scale = draft.c, draft.profile.rating
    machine.check("rate", c.state)
    if scale is None:
        raise ProfileForbids("rating.scale_and_floor")
    if not scale.min <= command.score <= scale.max:
        raise InvalidField("score", f"must be {scale.min} to {scale.max}")
    c.rating, c.rating_comment, c.rating_until = command.score, command.comment, None
    draft.record("rating", Rated(command.score, c.accountable_owner))
    draft.move("rate")


def expire_rating(draft: Draft) -> None:
    """No mark came in time."""
    draft.c.rating_until = None
    draft.move("ratingExpired")


def leave(draft: Draft, _: Leave) -> None:
    """The customer goes: abandoned before anybody took it, wrapped up after that, settled if the bot had answered."""
    c = draft.c
    machine.check("leave", c.state)
    if c.state is State.BOT and c.bot_until is None:
        _end(draft, "leave", State.CLOSED)
    else:
        gone(draft, "leave")


def gone(draft: Draft, transition: str) -> None:
    """The customer is away, by leaving or hanging up."""
    c = draft.c
    after = machine.check(transition, c.state)[0]
    if after is State.ABANDONED:
        if c.channel == PHONE:
            c.call_state = CallState.ABANDONED
        _end(draft, transition, after)
        c.assignee, c.assigned_at = "", None
    else:
        if c.state is State.HANDOFF_PENDING:
            c.assignee = c.accountable_owner
        draft.move(transition, after, fact=Fact.ENDED)


def redirect(draft: Draft, command: Redirect) -> None:
    """It goes on by telephone or ticket."""
    machine.check("redirect", draft.c.state)
    guards.holder(draft)
    draft.c.redirect_target = command.target
    _end(draft, "redirect", State.REDIRECTED)


def report_harassment(draft: Draft, command: ReportHarassment) -> None:
    """Stop it; nobody has to answer while a supervisor looks, who is promised to look soon."""
    c = draft.c
    machine.check("reportHarassment", c.state)
    guards.holder(draft)
    draft.note(command.reason)
    c.resume_state = c.state
    draft.move("reportHarassment", fact=Fact.HARASSED)


def release_hold(draft: Draft, command: ReleaseHold) -> None:
    """A supervisor lets it go on where it stood, with a new promise for a question that nobody answered, or ends it."""
    c = draft.c
    machine.check("releaseHold", c.state)
    if command.resume:
        draft.move("releaseHold", State(c.resume_state), fact=Fact.RELEASED)
        c.resume_state = ""
    else:
        _end(draft, "releaseHold", State.CLOSED)


def reopen(draft: Draft, _: Reopen) -> None:
    """The same matter again."""
    reopen_matter(draft)


def _end(draft: Draft, transition: str, to: State) -> None:
    """End it; who answers the customer's next words is decided then, so that nothing keeps running.

    The burst key stays until a new conversation takes it: opened again, this one is found by the customer's next words.
    """
    c = draft.c
    c.ended_at, c.bot_until = draft.now, None
    draft.move(transition, to, fact=Fact.ENDED)
