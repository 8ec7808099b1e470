"""Confidence intervals of shares, by methods that hold for small numbers and for shares near 0 and 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its bounds."""

    estimate: float
    low: float
    high: float


def wilson(successes: int, of: int, *, level: float = 0.95) -> Interval:
    """Return the share with its score interval (Wilson 1927); [0, 1] around 0 where there was nothing to count."""
    _check(successes, of)
    if of == 0:
        return Interval(0.0, 0.0, 1.0)
    z, share = _z(level), successes / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return Interval(share, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def newcombe(successes: int, of: int, others: int, of_others: int, *, level: float = 0.95) -> Interval:
    """Return the difference of two independent shares with its interval.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998), 873-890: the two Wilson intervals squared together.
    """
    one, two = wilson(successes, of, level=level), wilson(others, of_others, level=level)
    difference = one.estimate - two.estimate
    below = math.hypot(one.estimate - one.low, two.high - two.estimate)
    above = math.hypot(one.high - one.estimate, two.estimate - two.low)
    return Interval(difference, max(-1.0, difference - below), min(1.0, difference + above))


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1: {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def _check(successes: int, of: int) -> None:
    if not 0 <= successes <= of:
        raise ValueError(f"{successes} of {of} is no share")
