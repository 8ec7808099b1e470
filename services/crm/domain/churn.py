"""Where a customer stands, from new to lost: by their own rhythm, with the plain rule beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Lifecycle(StrEnum):
    """ENTITIES §7.40, from the first purchase on."""

    NEW = "NEW"
    REPEAT = "REPEAT"
    OLD = "OLD"
    DORMANT = "DORMANT"
    LOST = "LOST"


class Judge(StrEnum):
    """What decided."""

    RHYTHM = "RHYTHM"
    RULE = "RULE"


@dataclass(frozen=True, slots=True)
class Bars:
    """Where the lines are. `lost_after_d` is the site's plain rule; half of it makes a customer dormant."""

    lost_after_d: int
    old_from_orders: int = 3
    dormant_below: float = 0.5
    lost_below: float = 0.2
    # With fewer repeat purchases a rhythm says little: two intervals are the least that can differ.
    rhythm_from_repeats: int = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict with everything it rests on: what the rule alone says is always shown beside it."""

    lifecycle: Lifecycle
    judge: Judge
    by_rule: Lifecycle
    silent_d: float
    p_alive: float | None


def standing(*, orders: int, silent_d: float, p_alive: float | None, bars: Bars) -> Standing:
    """Judge a customer of at least one order, silent for so many days; `p_alive` is None without a fitted model.

    The rhythm decides where there is one; the plain rule decides for everybody else.
    """
    if orders < 1:
        raise ValueError("whoever never bought has no standing")
    by_rule = _by_rule(orders, silent_d, bars)
    if p_alive is None or orders - 1 < bars.rhythm_from_repeats:
        return Standing(by_rule, Judge.RULE, by_rule, silent_d, p_alive)
    lifecycle = _active(orders, bars)
    if p_alive < bars.lost_below:
        lifecycle = Lifecycle.LOST
    elif p_alive < bars.dormant_below:
        lifecycle = Lifecycle.DORMANT
    return Standing(lifecycle, Judge.RHYTHM, by_rule, silent_d, p_alive)


def _by_rule(orders: int, silent_d: float, bars: Bars) -> Lifecycle:
    if silent_d >= bars.lost_after_d:
        return Lifecycle.LOST
    if silent_d >= bars.lost_after_d / 2:
        return Lifecycle.DORMANT
    return _active(orders, bars)


def _active(orders: int, bars: Bars) -> Lifecycle:
    if orders >= bars.old_from_orders:
        return Lifecycle.OLD
    return Lifecycle.REPEAT if orders > 1 else Lifecycle.NEW
