"""Money in fen: a pool that moves with the team's goal, shared out to the last fen, and the split of pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


def pool_of(base_fen: int, attainment: float) -> int:
    """The pool of a period: the base moves with the share of the team's goal that was reached (ONLINE-5.3.1-2)."""
    if base_fen < 0 or attainment < 0:
        raise ValueError("a pool and an attainment are not negative")
    return int(base_fen * Fraction(attainment).limit_denominator(1_000_000))


def distribute(pool_fen: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Share a pool by scores, so that the parts add up to the pool exactly.

    Largest remainders (Hamilton): whole fen first, what is left goes one by one to the largest fractions, ties by id.
    Where nobody has a share, nobody gets anything.
    """
    exact = {person: Fraction(max(0.0, share)).limit_denominator(1_000_000) for person, share in shares.items()}
    total = sum(exact.values())
    if not total:
        return dict.fromkeys(shares, 0)
    parts = {person: pool_fen * share / total for person, share in exact.items()}
    whole = {person: int(part) for person, part in parts.items()}
    left = pool_fen - sum(whole.values())
    by_fraction = sorted(parts, key=lambda person: (whole[person] - parts[person], person))
    for person in by_fraction[:left]:
        whole[person] += 1
    return whole


@dataclass(frozen=True, slots=True)
class Pay:
    """A month's pay, fen."""

    base_fen: int
    performance_fen: int

    @property
    def total_fen(self) -> int:
        """Both parts."""
        return self.base_fen + self.performance_fen


def split(full_fen: int, *, base: int, performance: int, factor: float) -> Pay:
    """Split a full pay into base wage and performance bonus (6:4), the bonus times `factor` (score, coefficient, cuts).

    Rounded down to whole fen on the bonus, so that base and a bonus at factor 1 are the full pay.
    """
    fixed = full_fen * base // (base + performance)
    scaled = (full_fen - fixed) * Fraction(max(0.0, factor)).limit_denominator(1_000_000)
    return Pay(fixed, int(scaled))


def annual_award(monthly_bonus_fen: int, times: float) -> int:
    """What the best of a year get: their mean monthly bonus, times the profile's factor (ONLINE-5.3.1-3: 3)."""
    return int(monthly_bonus_fen * Fraction(times).limit_denominator(1_000))
