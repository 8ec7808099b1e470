"""Rubrics between contract and domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kefu.qa.v1 import review_pb2 as pb

from services.kit.instants import stamp
from services.qa.domain.rubric import Criterion
from services.qa.store.rubrics import Rubric, Titled


def criteria_from(criteria: Iterable[pb.Criterion]) -> list[Titled]:
    """Criteria as a caller writes them."""
    return [
        Titled(
            Criterion(
                one.id,
                one.weight,
                critical=one.critical,
                fails_at=one.fails_at,
                comment_at=one.comment_at,
                optional=one.optional,
            ),
            one.title_zh,
            one.title_en,
            tuple(one.clauses),
        )
        for one in criteria
    ]


def criteria_to(criteria: Sequence[Titled]) -> list[pb.Criterion]:
    """Back."""
    made = []
    for one in criteria:
        rule: dict[str, Any] = {name: getattr(one.rule, name) for name in Criterion.__slots__}
        made.append(pb.Criterion(title_zh=one.title_zh, title_en=one.title_en, clauses=one.clauses, **rule))
    return made


def rubric_to(rubric: Rubric) -> pb.Rubric:
    """A version."""
    return pb.Rubric(
        name=rubric.name,
        series=rubric.series,
        version=rubric.version,
        state=pb.Rubric.State.Value(f"STATE_{rubric.state}"),
        criteria=criteria_to(rubric.criteria),
        author=rubric.author,
        approver=rubric.approver,
        create_time=stamp(rubric.created_at),
        publish_time=stamp(rubric.published_at),
    )
