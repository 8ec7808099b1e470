"""The life cycle of a conversation, declared: which transition leads from where to where (ENTITIES §7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.intake.domain.refusal import WrongState
from services.intake.domain.values import State

S = State
_BEFORE_SERVICE = (S.NEW, S.BOT, S.QUEUED, S.ASSIGNED, S.REOPENED)
_IN_SERVICE = (S.RECEPTION, S.SERVING, S.PENDING_VERIFICATION, S.HANDOFF_PENDING)

# Transition → state before → states after, the usual one first.
TRANSITIONS: Final[Mapping[str, Mapping[State, tuple[State, ...]]]] = MappingProxyType(
    {
        "ask": {S.NEW: (S.QUEUED, S.BOT)},
        "escalate": {S.BOT: (S.QUEUED,)},
        "offer": {S.QUEUED: (S.ASSIGNED,), S.REOPENED: (S.ASSIGNED,), S.HANDOFF_PENDING: (S.HANDOFF_PENDING,)},
        "accept": {S.ASSIGNED: (S.RECEPTION, S.SERVING), S.HANDOFF_PENDING: (S.SERVING,)},
        "decline": {S.ASSIGNED: (S.QUEUED,), S.HANDOFF_PENDING: (S.SERVING,)},
        "takeBack": {
            S.ASSIGNED: (S.QUEUED,),
            S.RECEPTION: (S.QUEUED,),
            S.SERVING: (S.QUEUED,),
            S.HANDOFF_PENDING: (S.HANDOFF_PENDING, S.SERVING),
        },
        "recordNeed": {S.RECEPTION: (S.SERVING,), S.SERVING: (S.SERVING,)},
        "transfer": {S.RECEPTION: (S.HANDOFF_PENDING,), S.SERVING: (S.HANDOFF_PENDING,)},
        "holdForVerification": {S.SERVING: (S.PENDING_VERIFICATION,)},
        "resume": {S.PENDING_VERIFICATION: (S.SERVING,)},
        "redirect": dict.fromkeys((S.RECEPTION, S.SERVING, S.PENDING_VERIFICATION), (S.REDIRECTED,)),
        "reportHarassment": dict.fromkeys((S.RECEPTION, S.SERVING), (S.HARASSMENT_HOLD,)),
        "releaseHold": {S.HARASSMENT_HOLD: (S.RECEPTION, S.SERVING, S.CLOSED)},
        "close": dict.fromkeys((S.SERVING, S.WRAP_UP), (S.AWAITING_RATING, S.CLOSED)),
        "return": {S.WRAP_UP: (S.SERVING,)},
        "rate": {S.AWAITING_RATING: (S.CLOSED,)},
        "ratingExpired": {S.AWAITING_RATING: (S.CLOSED,)},
        "leave": {
            **dict.fromkeys(_BEFORE_SERVICE, (S.ABANDONED, S.CLOSED)),
            **dict.fromkeys(_IN_SERVICE, (S.WRAP_UP,)),
        },
        "hangUp": {
            **dict.fromkeys((S.QUEUED, S.ASSIGNED), (S.ABANDONED,)),
            **dict.fromkeys(_IN_SERVICE, (S.WRAP_UP,)),
        },
        "reopen": dict.fromkeys((S.CLOSED, S.AWAITING_RATING, S.ABANDONED), (S.REOPENED,)),
    }
)

_ALLOWED: Final[Mapping[State, frozenset[str]]] = MappingProxyType(
    {state: frozenset(name for name, ways in TRANSITIONS.items() if state in ways) for state in State}
)


def check(transition: str, state: State) -> tuple[State, ...]:
    """Return where `transition` may lead from `state`; raises WrongState naming what is allowed instead."""
    after = TRANSITIONS[transition].get(state)
    if after is None:
        raise wrong_state(transition, state)
    return after


def wrong_state(transition: str, state: State) -> WrongState:
    """Return the refusal of something that `state` does not allow."""
    return WrongState(transition, state, _ALLOWED[state])
