"""What the telephone system reports."""

from __future__ import annotations

from services.intake.domain import machine
from services.intake.domain.clock_board import Fact
from services.intake.domain.commands import HangUp, Ring
from services.intake.domain.decide.draft import Draft
from services.intake.domain.decide.ending import gone
from services.intake.domain.history import Noted
from services.intake.domain.values import CallState


def ring(draft: Draft, command: Ring) -> None:
    """The n-th ring; one that was reported before changes nothing."""
    c = draft.c
    if c.call_state is not CallState.RINGING:
        raise machine.wrong_state("reportRing", c.state)
    if command.ring > c.rings:
        c.rings = command.ring
        draft.record("ring", Noted(), Fact.RANG, command.ring)


def hang_up(draft: Draft, command: HangUp) -> None:
    """The call is over: abandoned before an answer, to be wrapped up after it.

    It cannot be undone: a person who hung up first where the site's rules forbid it is on record.
    """
    c = draft.c
    if c.call_state is CallState.RINGING:
        gone(draft, "hangUp")
        return
    if c.call_state is not CallState.TALKING:
        raise machine.wrong_state("hangUp", c.state)
    gone(draft, "hangUp")
    c.call_state = CallState.CUSTOMER_HUNG_UP if command.by_customer else CallState.AGENT_HUNG_UP
    telephony = draft.profile.telephony
    if not command.by_customer and telephony is not None and telephony.customer_hangs_up_first:
        draft.record("agentHungUpFirst", Noted())
