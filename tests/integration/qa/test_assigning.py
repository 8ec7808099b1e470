"""What was drawn is handed to reviewers by the hourly job, in the built service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kefu.qa.v1 import draw_service_pb2 as draws
from kefu.qa.v1 import review_pb2 as pb
from kefu.qa.v1 import review_service_pb2 as api
from kefu.qa.v1.draw_service_pb2_grpc import DrawServiceStub

from tests.integration.qa.conftest import SITE
from tests.integration.qa.reviewing import Room
from tests.integration.qa.season import Season
from tests.integration.qa.test_app import Whole, whole
from tests.integration.qa.working import Works

__all__ = ["whole"]

SERVICES = ("qa",)


async def test_a_spot_check_reaches_its_reviewers_within_the_hour(whole: Whole) -> None:
    season = Season(whole, Works(whole, SITE))
    room = Room(season, SITE)
    await room.member("rob", reviewer=True)
    await room.rubric()  # of the series that the site's profile names
    at = whole.database.clock.now()
    for number in range(3):
        await whole.conversation(f"spotted-{number}", person="rob" if number else "ann", at=at - timedelta(minutes=9))
    await whole.advance(at + timedelta(seconds=1))
    stub: Any = DrawServiceStub(whole.channel)
    spot = draws.CreateSpotCheckRequest(parent=f"sites/{SITE}", number=3, days=1, reason="all")
    drawn = await stub.ListSamples(draws.ListSamplesRequest(parent=(await stub.CreateSpotCheck(spot)).name))
    for _ in range(2):  # the next run finds nothing more to do
        await whole.advance(whole.database.clock.now() + timedelta(hours=1))
        found = (await room.reviews().ListReviews(api.ListReviewsRequest(parent=room.parent))).reviews
        assert [(one.person, one.reviewer, one.origin) for one in found] == [("ann", "rob", pb.Review.ORIGIN_AD_HOC)]
    assert found[0].recording in {one.recording for one in drawn.samples}
    await season.close()
