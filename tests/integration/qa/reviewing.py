"""A site with reviewers, a published rubric and recordings, through the public interface."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.qa.v1 import recording_pb2, review_pb2
from kefu.qa.v1 import recording_service_pb2 as recording_api
from kefu.qa.v1 import review_service_pb2 as api

from tests.integration.qa.conftest import Qa
from tests.integration.qa.drawn import as_drawn
from tests.integration.qa.season import Season

SERIES = "conversations"
KINDS = {
    review_pb2.Review.ORIGIN_DRAWN: "RANDOM",
    review_pb2.Review.ORIGIN_RISK: "RISK",
    review_pb2.Review.ORIGIN_AD_HOC: "AD_HOC",
}
CRITERIA = (
    {"id": "warmth", "weight": 50.0, "comment_at": 4},
    {"id": "accuracy", "weight": 40.0},
    {"id": "farewell", "weight": 10.0, "optional": True},
)


def criterion(**fields: Any) -> review_pb2.Criterion:
    return review_pb2.Criterion(title_zh=fields["id"], title_en=fields["id"], **fields)


def answers(**marks: int | None) -> list[review_pb2.Answer]:
    """Marks by criterion, low ones with a comment."""
    return [
        review_pb2.Answer(criterion=id_, mark=mark, comment="heard twice" if mark is not None and mark < 6 else "")
        for id_, mark in marks.items()
    ]


class Room:
    """Who reviews at a site, and how."""

    def __init__(self, qa: Qa | Season, site: str) -> None:
        self.qa = qa
        self.site = site
        self.parent = f"sites/{site}"

    def reviews(self, who: str = "boss", role: str = "admin") -> Any:
        return self.qa.reviews(who, role, self.site)

    async def member(self, person: str, team: str = "", *, reviewer: bool = False) -> None:
        member = review_pb2.Member(name=f"{self.parent}/members/{person}", team=team, reviewer=reviewer)
        await self.reviews().SetMember(api.SetMemberRequest(member=member))

    async def rubric(self, *criteria: review_pb2.Criterion, series: str = SERIES) -> review_pb2.Rubric:
        """Write and publish a rubric, by two people."""
        wanted = criteria or tuple(criterion(**one) for one in CRITERIA)
        rubric = review_pb2.Rubric(series=series, criteria=wanted)
        made = await self.reviews().CreateRubric(api.CreateRubricRequest(parent=self.parent, rubric=rubric))
        published: review_pb2.Rubric = await self.reviews("chief").PublishRubric(
            api.PublishRubricRequest(name=made.name)
        )
        return published

    async def recording(self, person: str, channel: str = "PHONE", *, at: datetime | None = None) -> str:
        """A recording of somebody's service that ended then, or a while ago."""
        end = Timestamp()
        end.FromDatetime(at or datetime.now(UTC) - timedelta(hours=2))
        begin = Timestamp(seconds=end.seconds - 300)
        request = recording_api.RegisterRecordingRequest(
            parent=self.parent,
            kind=recording_pb2.Recording.KIND_AUDIO,
            subject=f"{self.parent}/conversations/{uuid4()}",
            person=person,
            channel=channel,
            start_time=begin,
            end_time=end,
        )
        made: recording_pb2.Recording = await self.qa.recordings("phone", "admin", self.site).RegisterRecording(request)
        return made.name

    async def draw(self, *recordings: str, kind: str = "RANDOM") -> None:
        """As if a draw of this kind had these recordings."""
        await as_drawn(self.qa.database.execute, self.site, kind, *recordings)

    async def assign(
        self, *recordings: str, series: str = SERIES, origin: Any = review_pb2.Review.ORIGIN_DRAWN
    ) -> api.AssignReviewsResponse:
        """Recordings that are drawn, and assigned."""
        await self.draw(*recordings, kind=KINDS[origin])
        request = api.AssignReviewsRequest(parent=self.parent, recordings=recordings, series=series, origin=origin)
        assigned: api.AssignReviewsResponse = await self.reviews().AssignReviews(request)
        return assigned

    async def submit(self, review: review_pb2.Review, **marks: int | None) -> review_pb2.Review:
        """The reviewer's marks."""
        request = api.SubmitReviewRequest(name=review.name, answers=answers(**marks))
        submitted: review_pb2.Review = await self.reviews(review.reviewer, "reviewer").SubmitReview(request)
        return submitted

    async def reviewed(self, person: str, **marks: int | None) -> review_pb2.Review:
        """A new recording of somebody, reviewed."""
        assigned = await self.assign(await self.recording(person))
        return await self.submit(assigned.reviews[0], **marks)
