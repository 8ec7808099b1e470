"""The calls of the review and scorecard pages to qa, typed; every one on behalf of the person of the web request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from kefu.qa.v1 import review_pb2
from kefu.qa.v1 import review_service_pb2 as api
from kefu.qa.v1 import scorecard_service_pb2 as card_api

from services.gateway.console.backend import new_id
from services.gateway.console.gate import Gate
from services.gateway.console.qa import RECENT

Reply = TypeVar("Reply", bound=Message)


class Judging:
    """Calls for one site. Reviews and people are named by the id alone."""

    def __init__(self, gate: Gate, site: str) -> None:
        self._gate = gate
        self.parent = f"sites/{site}"

    def _call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        return self._gate.call(f"kefu.qa.v1.{method}", request, reply)

    def reviews(self, **filters: Any) -> api.ListReviewsResponse:
        """A page of reviews; filters as in the contract."""
        request = api.ListReviewsRequest(parent=self.parent, page_size=RECENT, **filters)
        return self._call("ReviewService/ListReviews", request, api.ListReviewsResponse)

    def review(self, review: str) -> review_pb2.Review:
        """One review with its words."""
        request = api.GetReviewRequest(name=f"{self.parent}/reviews/{review}")
        return self._call("ReviewService/GetReview", request, review_pb2.Review)

    def rubric(self, name: str) -> review_pb2.Rubric:
        """A rubric, by its resource name."""
        return self._call("ReviewService/GetRubric", api.GetRubricRequest(name=name), review_pb2.Rubric)

    def submit(
        self,
        review: str,
        *,
        answers: Sequence[review_pb2.Answer],
        evidence: Sequence[review_pb2.EvidenceMark],
        coaching: str,
    ) -> None:
        """Submits the marks."""
        request = api.SubmitReviewRequest(
            name=f"{self.parent}/reviews/{review}",
            answers=answers,
            evidence=evidence,
            coaching=coaching,
            request_id=new_id(),
        )
        self._call("ReviewService/SubmitReview", request, review_pb2.Review)

    def acknowledge(self, review: str) -> None:
        """Acknowledges."""
        request = api.AcknowledgeReviewRequest(name=f"{self.parent}/reviews/{review}", request_id=new_id())
        self._call("ReviewService/AcknowledgeReview", request, review_pb2.Review)

    def dispute(self, review: str, reason: str) -> None:
        """Disputes."""
        request = api.DisputeReviewRequest(name=f"{self.parent}/reviews/{review}", reason=reason, request_id=new_id())
        self._call("ReviewService/DisputeReview", request, review_pb2.Review)

    def review_scores(self, until_day: str, weeks: int) -> api.GetReviewScoresResponse:
        """Review scores by person with intervals, over the weeks up to and with a day."""
        request = api.GetReviewScoresRequest(parent=self.parent, until_day=until_day, weeks=weeks)
        return self._call("ReviewService/GetReviewScores", request, api.GetReviewScoresResponse)

    def registry(self) -> dict[str, card_api.Metric]:
        """Metrics by id."""
        request = card_api.GetMetricRegistryRequest(name=f"{self.parent}/metricRegistry")
        found = self._call("ScorecardService/GetMetricRegistry", request, card_api.MetricRegistry)
        return {one.id: one for one in found.metrics}

    def scorecards(self, period: str, token: str) -> card_api.ListScorecardsResponse:
        """Scorecards of a month or quarter by person."""
        request = card_api.ListScorecardsRequest(parent=self.parent, period=period, page_size=RECENT, page_token=token)
        return self._call("ScorecardService/ListScorecards", request, card_api.ListScorecardsResponse)

    def scorecard(self, period: str, person: str) -> card_api.Scorecard:
        """One person's scorecard."""
        request = card_api.GetScorecardRequest(name=f"{self.parent}/people/{person}/scorecards/{period}")
        return self._call("ScorecardService/GetScorecard", request, card_api.Scorecard)

    def observations(self, period: str, person: str, metric: str, token: str) -> card_api.ListObservationsResponse:
        """The evidence of a computed value."""
        request = card_api.ListObservationsRequest(
            parent=f"{self.parent}/people/{person}", metric=metric, period=period, page_size=RECENT, page_token=token
        )
        return self._call("ScorecardService/ListObservations", request, card_api.ListObservationsResponse)
