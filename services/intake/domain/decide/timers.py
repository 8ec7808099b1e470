"""What time alone does to a conversation."""

from __future__ import annotations

from services.intake.domain.commands import Escalate, Tick
from services.intake.domain.decide import ending, serving
from services.intake.domain.decide.draft import Draft
from services.intake.domain.values import State


def tick(draft: Draft, _: Tick) -> None:
    """Judge everything that is due; the timer that brought this is spent."""
    c = draft.c
    c.timer_at = None
    draft.tick()
    take_back_at = draft.take_back_at()
    if take_back_at is not None and take_back_at <= draft.now:
        serving.take_back(draft)
    if c.state is State.BOT and c.bot_until is not None and c.bot_until <= draft.now:
        serving.escalate(draft, Escalate())
    if c.state is State.AWAITING_RATING and c.rating_until is not None and c.rating_until <= draft.now:
        ending.expire_rating(draft)
