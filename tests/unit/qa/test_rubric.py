"""Rubrics: weights, what does not apply, what spoils everything, and comments that are owed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.qa.domain.rubric import Answer, Criterion, Scale, answer_faults, rubric_faults, score

SCALE = Scale(1, 10)
RUBRIC = (
    Criterion("warmth", 40, comment_at=4),
    Criterion("accuracy", 40),
    Criterion("quarrel", 10, critical=True, fails_at=3),
    Criterion("farewell", 10, optional=True),
)
GOOD = (Answer("warmth", 8), Answer("accuracy", 6), Answer("quarrel", 10), Answer("farewell", None))


def test_what_does_not_apply_leaves_its_weight_to_the_others() -> None:
    assert not list(rubric_faults(RUBRIC, SCALE))
    assert not list(answer_faults(RUBRIC, GOOD, SCALE))
    assert score(RUBRIC, GOOD, SCALE).value == pytest.approx((40 * 8 + 40 * 6 + 10 * 10) / 90)


def test_a_failed_critical_criterion_makes_it_the_worst_mark() -> None:
    spoilt = (*GOOD[:2], Answer("quarrel", 3), GOOD[3])
    assert score(RUBRIC, spoilt, SCALE).failed == ("quarrel",)
    assert score(RUBRIC, spoilt, SCALE).value == 1


@pytest.mark.parametrize(
    ("criteria", "path"),
    [
        ((), "criteria"),
        ((Criterion("a", 60), Criterion("b", 39)), "criteria"),
        ((Criterion("a", 50), Criterion("a", 50)), "criteria[1].id"),
        ((Criterion("a", 120), Criterion("b", -20)), "criteria[1].weight"),
        ((Criterion("a", 100, critical=True, fails_at=10),), "criteria[0].fails_at"),
        ((Criterion("a", 100, comment_at=11),), "criteria[0].comment_at"),
        ((Criterion("a", 100, optional=True),), "criteria"),
    ],
)
def test_a_rubric_that_cannot_be_used_says_where(criteria: tuple[Criterion, ...], path: str) -> None:
    assert path in {one.path for one in rubric_faults(criteria, SCALE)}


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        (GOOD[:3], "answers"),
        ((*GOOD, Answer("warmth", 9)), "answers[0].criterion"),
        ((*GOOD, Answer("unheard-of", 9)), "answers[4].criterion"),
        ((replace(GOOD[0], mark=11), *GOOD[1:]), "answers[0].mark"),
        ((replace(GOOD[0], mark=0), *GOOD[1:]), "answers[0].mark"),
        ((replace(GOOD[0], mark=None), *GOOD[1:]), "answers[0].mark"),
        ((replace(GOOD[0], mark=4), *GOOD[1:]), "answers[0].comment"),
        ((replace(GOOD[0], mark=4, comment="  "), *GOOD[1:]), "answers[0].comment"),
    ],
)
def test_a_review_that_cannot_be_submitted_says_where(answers: tuple[Answer, ...], path: str) -> None:
    assert path in {one.path for one in answer_faults(RUBRIC, answers, SCALE)}


@given(st.lists(st.tuples(st.integers(1, 10), st.floats(0.1, 100)), min_size=1, max_size=12))
def test_a_score_lies_between_the_marks_that_made_it(marks: list[tuple[int, float]]) -> None:
    criteria = [Criterion(str(number), weight) for number, (_, weight) in enumerate(marks)]
    answers = [Answer(str(number), mark) for number, (mark, _) in enumerate(marks)]
    value = score(criteria, answers, SCALE).value
    assert min(mark for mark, _ in marks) <= value <= max(mark for mark, _ in marks)
