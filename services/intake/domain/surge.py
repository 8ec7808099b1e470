"""Surge mode: entered at a number of customers online, left only below a lower one, so that it does not flicker."""

from __future__ import annotations

from enum import StrEnum

from services.policy.profile import Surge


class Turn(StrEnum):
    """How surge mode changes."""

    ENTERED = "ENTERED"
    LEFT = "LEFT"


def turn(rule: Surge | None, customers_online: int, *, active: bool) -> Turn | None:
    """Return how surge mode changes with `customers_online`, having been on or not (`active`); None when it stays.

    A site without a surge rule is never in surge mode: one that is left over from an earlier profile version ends.
    """
    after = rule is not None and rule.active(customers_online, before=active)
    if after == active:
        return None
    return Turn.ENTERED if after else Turn.LEFT
