"""Rubrics: what a review marks, and how the marks become one score on the site's scale."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

TOLERANCE: Final = 1e-6
DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """Whole marks from the worst to the best (ONLINE-4.2.2-2: 1 to 10)."""

    worst: int
    best: int


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that is marked.

    `weight` is its share, %. A `critical` criterion that is marked `fails_at` or lower makes the whole review the
    worst mark. `comment_at`: a mark that low needs a comment. `optional`: may be answered "not applicable".
    """

    id: str
    weight: float
    critical: bool = False
    fails_at: int = 0
    comment_at: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer says to a criterion; `mark` None means "not applicable"."""

    criterion: str
    mark: int | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """The score on the scale, and the critical criteria that failed."""

    value: float
    failed: tuple[str, ...]


def rubric_faults(criteria: Sequence[Criterion], scale: Scale) -> Iterator[Fault]:
    """What keeps a rubric from being used: weights that do not make 100, ids twice, limits off the scale."""
    if not criteria:
        yield Fault("criteria", "are missing")
        return
    total = sum(one.weight for one in criteria)
    if abs(total - 100) > TOLERANCE:
        yield Fault("criteria", f"weigh {total:g} together, not 100")
    seen = Counter(one.id for one in criteria)
    for index, one in enumerate(criteria):
        path = f"criteria[{index}]"
        if seen[one.id] > 1:
            yield Fault(f"{path}.id", f"is used twice: {one.id}")
        if not 0 < one.weight <= 100:
            yield Fault(f"{path}.weight", "lies outside 0 to 100 %")
        if one.critical and not scale.worst <= one.fails_at < scale.best:
            yield Fault(f"{path}.fails_at", f"must be a mark from {scale.worst} to {scale.best - 1}")
        if one.comment_at and not scale.worst <= one.comment_at <= scale.best:
            yield Fault(f"{path}.comment_at", f"lies outside {scale.worst} to {scale.best}")
    if all(one.optional for one in criteria):
        yield Fault("criteria", "are all optional: a review could mark nothing")


def answer_faults(criteria: Sequence[Criterion], answers: Sequence[Answer], scale: Scale) -> Iterator[Fault]:
    """What keeps a review from being submitted."""
    known = {one.id: one for one in criteria}
    given = Counter(one.criterion for one in answers)
    for missing in sorted(set(known) - set(given)):
        yield Fault("answers", f"have none for {missing}")
    for index, answer in enumerate(answers):
        path = f"answers[{index}]"
        criterion = known.get(answer.criterion)
        if criterion is None:
            yield Fault(f"{path}.criterion", f"is not in the rubric: {answer.criterion}")
        elif given[answer.criterion] > 1:
            yield Fault(f"{path}.criterion", f"is answered twice: {answer.criterion}")
        elif answer.mark is None:
            if not criterion.optional:
                yield Fault(f"{path}.mark", f"is missing: {answer.criterion} applies always")
        elif not scale.worst <= answer.mark <= scale.best:
            yield Fault(f"{path}.mark", f"must be a whole number from {scale.worst} to {scale.best}")
        elif answer.mark <= criterion.comment_at and not answer.comment.strip():
            yield Fault(f"{path}.comment", f"is required for a mark of {criterion.comment_at} or lower")


def score(criteria: Sequence[Criterion], answers: Sequence[Answer], scale: Scale) -> Score:
    """The weighted mean of what applies; the worst mark where a critical criterion failed.

    Wants answers without faults (`answer_faults`).
    """
    marks: Mapping[str, int] = {one.criterion: one.mark for one in answers if one.mark is not None}
    applied = [one for one in criteria if one.id in marks]
    failed = tuple(one.id for one in applied if one.critical and marks[one.id] <= one.fails_at)
    if failed:
        return Score(float(scale.worst), failed)
    weight = math.fsum(one.weight for one in applied)
    mean = math.fsum(one.weight * marks[one.id] for one in applied) / weight
    return Score(round(min(max(mean, scale.worst), scale.best), DIGITS), ())
