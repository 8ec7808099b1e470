"""How far a score from a few drawn recordings can be trusted: intervals for a finite number of recordings.

A person's score is the mean over all recordings of the period; drawn is a part, without replacement. What is not drawn
makes the uncertainty, so that a full check has none (Cochran, Sampling Techniques, 3rd ed., §2.6 and §5.6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scipy import special

LEVEL: Final = 0.95
OWN, SHRUNK = "OWN", "SHRUNK"


@dataclass(frozen=True, slots=True)
class Stratum:
    """Recordings of one kind (a channel): how many there are, and the scores of those that were drawn."""

    population: int
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scores) > self.population:
            raise ValueError(f"{len(self.scores)} drawn of {self.population}")


@dataclass(frozen=True, slots=True)
class Spread:
    """Variance of scores within people, over everybody who was drawn, with its degrees of freedom."""

    variance: float
    freedom: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score between its bounds; `method` OWN, or SHRUNK towards the mean of all. `drawn` of `population`."""

    value: float
    low: float
    high: float
    drawn: int
    population: int
    method: str = OWN


def spread(samples: Iterable[Sequence[float]]) -> Spread | None:
    """Pool the variance within samples; None where no sample has two scores."""
    squares, freedom = 0.0, 0
    for scores in samples:
        if len(scores) > 1:
            mean = math.fsum(scores) / len(scores)
            squares += math.fsum((one - mean) ** 2 for one in scores)
            freedom += len(scores) - 1
    return Spread(squares / freedom, freedom) if freedom else None


def mean_of(
    strata: Sequence[Stratum], within: Spread | None, *, bounds: tuple[float, float], level: float = LEVEL
) -> Estimate | None:
    """The mean over all recordings, weighted by what each stratum holds; None where nothing was drawn.

    `within` is pooled over people: of five scores alone nobody can tell their spread, and five equal ones would claim
    to be exact. Without it, or where it is 0 and something was left undrawn, the bounds are those of the scale. A
    stratum of which nothing was drawn is left out, as its mean is not known.
    """
    seen = [one for one in strata if one.scores]
    population = sum(one.population for one in seen)
    drawn = sum(len(one.scores) for one in seen)
    if not drawn:
        return None
    value = math.fsum(one.population * math.fsum(one.scores) / len(one.scores) for one in seen) / population
    if drawn == population:
        return Estimate(value, value, value, drawn, population)
    if within is None or within.variance == 0:
        return Estimate(value, *bounds, drawn, population)
    half = _quantile(within, level) * math.sqrt(_variance(seen, population, within))
    return Estimate(value, max(bounds[0], value - half), min(bounds[1], value + half), drawn, population)


def shrink(estimates: Mapping[str, Estimate], within: Spread, *, level: float = LEVEL) -> dict[str, Estimate]:
    """Pull estimates from few recordings towards the mean of all, by as much as they are uncertain.

    Empirical Bayes on the normal model: the variance between people by moments (DerSimonian and Laird 1986), each
    estimate weighted against it. For display and coaching; a ranking uses the unshrunk intervals.
    """
    if len(estimates) < 3:
        return dict(estimates)
    quantile = _quantile(within, level)
    variances = {person: within.variance * (1 / one.drawn - 1 / one.population) for person, one in estimates.items()}
    floor = max(min((one for one in variances.values() if one > 0), default=0.0), 1e-9)
    weights = {person: 1 / max(one, floor) for person, one in variances.items()}
    total = math.fsum(weights.values())
    centre = math.fsum(weights[person] * one.value for person, one in estimates.items()) / total
    scatter = math.fsum(weights[person] * (one.value - centre) ** 2 for person, one in estimates.items())
    spare = total - math.fsum(one * one for one in weights.values()) / total
    between = max(0.0, (scatter - (len(estimates) - 1)) / spare) if spare > 0 else 0.0
    shrunk = {}
    for person, one in estimates.items():
        own = variances[person]
        keep = 1.0 if own == 0 else between / (between + own)
        # the part that comes from the common mean keeps that mean's own uncertainty
        half = quantile * math.sqrt(keep * own + (1 - keep) ** 2 / total)
        value = keep * one.value + (1 - keep) * centre
        shrunk[person] = Estimate(value, value - half, value + half, one.drawn, one.population, SHRUNK)
    return shrunk


def share_of(found: int, drawn: int, population: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Bounds of a share in a finite population, exact: hypergeometric tails of (1 - level)/2 each at most.

    The finite counterpart of Clopper and Pearson's interval.
    """
    if not 0 <= found <= drawn <= population or not population:
        raise ValueError(f"{found} found among {drawn} drawn of {population}")
    from scipy import stats  # a second and a half of every start, were it at the top

    tail = (1 - level) / 2
    least, most = found, population - (drawn - found)
    low = _first(least, most, lambda bad: float(stats.hypergeom.sf(found - 1, population, bad, drawn)) > tail)
    high = _first(least, most, lambda bad: float(stats.hypergeom.cdf(found, population, bad, drawn)) <= tail) - 1
    return low / population, max(high, low) / population


def chance_to_find(share: float, drawn: int, population: int | None = None) -> float:
    """Chance that a draw holds at least one recording with a fault that `share` of them have.

    Five a week find a fault of 2 % in 1 - 0.98**5 = 10 % of the weeks: what the power of a small sample comes to.
    """
    if population is None:
        return float(1 - (1 - share) ** drawn)
    drawn = min(drawn, population)
    return 1 - math.comb(population - round(share * population), drawn) / math.comb(population, drawn)


def _quantile(within: Spread, level: float) -> float:
    return float(special.stdtrit(within.freedom, (1 + level) / 2))


def _variance(strata: Sequence[Stratum], population: int, within: Spread) -> float:
    return math.fsum(
        (one.population / population) ** 2 * within.variance * (1 / len(one.scores) - 1 / one.population)
        for one in strata
    )


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number in [low, high] from which `holds` is true, or high + 1; `holds` turns true once."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
