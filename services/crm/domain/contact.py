"""When somebody of the staff should get in touch with an old customer, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.crm.domain.churn import Lifecycle


class Cause(StrEnum):
    """What a contact task is for: the regular word with an old customer, or help that a signal calls for."""

    ROUTINE = "ROUTINE"
    RETURNS = "RETURNS"
    LOW_RATING = "LOW_RATING"
    INACTIVITY = "INACTIVITY"


@dataclass(frozen=True, slots=True)
class Signals:
    """What was seen of a customer since the last contact. `returns` are orders sent back."""

    lifecycle: Lifecycle
    last_contact_at: datetime
    returns: int = 0
    low_ratings: int = 0


def cause_of(signals: Signals, *, interval: timedelta, now: datetime) -> Cause | None:
    """Why the customer is to be contacted now, the most pressing cause; None where there is none.

    Only old customers, and old ones that fell silent: others are for campaigns and win-back.
    """
    if signals.lifecycle not in (Lifecycle.OLD, Lifecycle.DORMANT):
        return None
    if signals.low_ratings:
        return Cause.LOW_RATING
    if signals.returns:
        return Cause.RETURNS
    if signals.lifecycle is Lifecycle.DORMANT:
        return Cause.INACTIVITY
    return Cause.ROUTINE if now - signals.last_contact_at >= interval else None
