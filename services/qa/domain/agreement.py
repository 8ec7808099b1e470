"""Whether reviewers mark alike: Krippendorff's alpha for ordinal marks, and how severe each of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

RESAMPLES: Final = 2_000
Marks: TypeAlias = Mapping[str, Mapping[str, int]]
"""Recording → reviewer → mark."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Alpha between its bounds: 1 is full agreement, 0 what chance would give; `units` have two marks or more."""

    alpha: float
    low: float
    high: float
    units: int


@dataclass(frozen=True, slots=True)
class Severity:
    """How much higher (lenient, > 0) or lower (severe, < 0) somebody marks than the others on the same recordings."""

    difference: float
    low: float
    high: float
    recordings: int


def alpha(marks: Marks) -> float | None:
    """Ordinal alpha; None where nothing can be said: no pair of marks, or one and the same mark everywhere.

    Krippendorff, Content Analysis, 3rd ed. (2013), §11.3: coincidences within units against those expected by chance,
    with the ordinal difference (the number of marks between two, half of the ends).
    """
    counts = _counts(marks)
    value = _alpha(_coincidences(counts).sum(axis=0)) if len(counts) else math.nan
    return None if math.isnan(value) else value


def agreement(marks: Marks, *, seed: int, level: float = 0.95, resamples: int = RESAMPLES) -> Agreement | None:
    """Alpha with its bootstrap interval: recordings are drawn anew with replacement, `resamples` times."""
    estimate = alpha(marks)
    if estimate is None:
        return None
    pairs = _coincidences(_counts(marks))
    units, categories = pairs.shape[0], pairs.shape[1]
    random = np.random.default_rng(seed)
    weights = random.multinomial(units, np.full(units, 1 / units), size=resamples)
    drawn = (weights @ pairs.reshape(units, -1)).reshape(resamples, categories, categories)
    values = np.array([_alpha(one) for one in drawn])
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Agreement(estimate, -1.0, 1.0, units)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(estimate, float(low), float(high), units)


def severity(marks: Marks, *, level: float = 0.95) -> dict[str, Severity]:
    """Each reviewer's mean difference to the mean of the others, over the recordings that somebody else marked too."""
    differences: dict[str, list[float]] = {}
    for given in marks.values():
        total = sum(given.values())
        for reviewer, mark in given.items():
            if len(given) > 1:
                others = (total - mark) / (len(given) - 1)
                differences.setdefault(reviewer, []).append(mark - others)
    return {reviewer: _mean(values, level) for reviewer, values in sorted(differences.items())}


def _mean(values: Sequence[float], level: float) -> Severity:
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Severity(mean, -math.inf, math.inf, 1)
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))
    half = float(special.stdtrit(len(values) - 1, (1 + level) / 2)) * deviation / math.sqrt(len(values))
    return Severity(mean, mean - half, mean + half, len(values))


def _counts(marks: Marks) -> NDArray[np.float64]:
    """Units with two marks or more × marks in use, ascending: how often each was given."""
    paired = [list(given.values()) for given in marks.values() if len(given) > 1]
    used = sorted({mark for given in paired for mark in given})
    counts = np.zeros((len(paired), len(used)))
    for row, given in enumerate(paired):
        for mark in given:
            counts[row, used.index(mark)] += 1
    return counts


def _coincidences(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Units × marks × marks: each mark of a unit with each other one of it, over the number of its marks less 1."""
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(counts.shape[1])
    pairs[:, diagonal, diagonal] -= counts
    made: NDArray[np.float64] = pairs / (counts.sum(axis=1) - 1)[:, None, None]
    return made


def _alpha(coincidences: NDArray[np.float64]) -> float:
    given = coincidences.sum(axis=0)
    upto = np.cumsum(given)
    middle = upto - given / 2
    distance = (middle[:, None] - middle[None, :]) ** 2  # marks between two, half of the ends, squared
    expected = float((np.outer(given, given) * distance).sum())
    if expected == 0:
        return math.nan
    return 1 - (float(given.sum()) - 1) * float((coincidences * distance).sum()) / expected
