"""Reviews between contract and domain."""

from __future__ import annotations

from collections.abc import Iterable

from kefu.qa.v1 import review_pb2 as pb
from kefu.qa.v1 import review_service_pb2 as api

from services.kit.instants import stamp
from services.qa.domain.review import Place, Review
from services.qa.domain.rubric import Answer
from services.qa.queries.reviews import Scores


def answers_from(answers: Iterable[pb.Answer]) -> list[Answer]:
    """Answers as a reviewer gives them."""
    return [Answer(one.criterion, one.mark if one.HasField("mark") else None, one.comment) for one in answers]


def evidence_from(evidence: Iterable[pb.EvidenceMark]) -> list[Place]:
    """Places in the recording."""
    return [Place(one.at_seconds, one.until_seconds, one.criterion, one.note) for one in evidence]


def review_to(review: Review, *, words: bool = False) -> pb.Review:
    """A review; with what people wrote only where one is read."""
    made = pb.Review(
        name=review.name,
        recording=f"sites/{review.site}/recordings/{review.recording}",
        person=review.person,
        reviewer=review.reviewer,
        rubric=f"sites/{review.site}/rubrics/{review.rubric}",
        origin=pb.Review.Origin.Value(f"ORIGIN_{review.origin}"),
        state=pb.Review.State.Value(f"STATE_{review.state}"),
        overdue=review.overdue,
        due_time=stamp(review.due_at),
        create_time=stamp(review.assigned_at),
        submit_time=stamp(review.submitted_at),
        score=review.score,
        failed=review.failed,
        replaces=f"sites/{review.site}/reviews/{review.replaces}" if review.replaces else "",
        etag=str(review.revision),
    )
    if words:
        made.answers.extend(
            pb.Answer(criterion=one.criterion, mark=one.mark, comment=one.comment) for one in review.answers
        )
        made.evidence.extend(
            pb.EvidenceMark(at_seconds=one.at_s, until_seconds=one.until_s, criterion=one.criterion, note=one.note)
            for one in review.evidence
        )
        made.coaching, made.dispute = review.coaching, review.dispute
    return made


def scores_to(scores: Scores) -> api.GetReviewScoresResponse:
    """Scores by person."""
    made = api.GetReviewScoresResponse(reviews=scores.reviews, chance_to_find_two_percent=scores.chance)
    for person, one in sorted(scores.estimates.items()):
        made.scores.add(
            person=person,
            score=one.value,
            low=one.low,
            high=one.high,
            reviewed=one.drawn,
            recordings=one.population,
            best_place=scores.ranks[person].best,
            worst_place=scores.ranks[person].worst,
            shrunk=scores.shrunk[person].value,
        )
    return made
