"""What becomes of a draw: its samples are assigned, reviewed or replaced; its frames lie in files."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from kefu.qa.v1 import draw_service_pb2 as api
from kefu.qa.v1 import review_pb2
from kefu.qa.v1 import review_service_pb2 as review_api

from services.kit.db import Database
from services.kit.errors import FailedPrecondition
from services.qa.domain import frame
from services.qa.store.frames import KEPT, Frames
from services.qa.store.objects import Objects
from tests.integration.qa.conftest import SITE
from tests.integration.qa.reviewing import Room
from tests.integration.qa.test_draws import NOW, Weeks, site, week, with_

__all__ = ["site", "week"]

SERVICES = ("qa",)


async def test_what_was_reviewed_is_not_replaced(site: Weeks, week: tuple[datetime, datetime], tmp_path: Path) -> None:
    start, end = week
    await site.commit(NOW)
    for number in range(12):
        await site.record("ann", start + timedelta(hours=number + 1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    room = Room(site.qa, SITE)
    await room.rubric(series="replaced")
    await room.member("rob", reviewer=True)
    heard, lost, free = (await site.samples(made))[:3]
    assigned = await room.reviews().AssignReviews(_assign(room, heard, lost))
    by_recording = {one.recording: one for one in assigned.reviews}
    await room.submit(by_recording[heard.recording], warmth=8, accuracy=8, farewell=8)
    with pytest.raises(FailedPrecondition, match="reviewed before"):
        await site.qa.draws().ReplaceSample(api.ReplaceSampleRequest(name=heard.name, reason="NO_CONTENT"))
    for sample in (lost, free):
        await site.qa.draws().ReplaceSample(api.ReplaceSampleRequest(name=sample.name, reason="NO_CONTENT"))
    with pytest.raises(FailedPrecondition, match="or it was replaced"):
        await room.reviews().AssignReviews(_assign(room, free))
    undrawn = await site.record("ann", start + timedelta(days=1))
    with pytest.raises(FailedPrecondition, match="no draw has it"):
        await room.reviews().AssignReviews(_assign(room, api.Sample(recording=f"sites/{SITE}/recordings/{undrawn}")))


async def test_what_is_drawn_is_assigned_by_itself_once_to_each_in_turn(
    site: Weeks, week: tuple[datetime, datetime], database: Database
) -> None:
    start, end = week
    site.profile = with_(site.profile, dict(site.profile.settings) | {"review.rubric": "replaced"})
    await site.commit(NOW)
    for number in range(12):
        await site.record("ann" if number % 2 else "rob", start + timedelta(hours=number + 1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    room, reviews = Room(site.qa, SITE), site.qa.parts.judging.reviews

    async def assign() -> list[review_pb2.Review]:
        async with database.transaction(sites=[SITE]) as tx:
            await reviews.assign_drawn(tx, site.profile, actor="draws")
        return list((await room.reviews().ListReviews(review_api.ListReviewsRequest(parent=room.parent))).reviews)

    for reviewer in ("rob", "sue"):
        await room.member(reviewer, reviewer=True)
    assert await assign() == [], "no rubric is published yet"
    await room.rubric(series="replaced")
    one = "SELECT recording_id FROM samples LIMIT 1"
    await database.execute(f"UPDATE recordings SET kind = 'AUDIO' WHERE recording_id IN ({one})")
    assert len(await assign()) == 4, "one waits for its sound"
    await database.execute("UPDATE recordings SET sha256 = 'come' WHERE kind = 'AUDIO'")
    found = await assign()
    assert {one.recording for one in found} == {one.recording for one in await site.samples(made)}
    assert {one.origin for one in found} == {review_pb2.Review.ORIGIN_DRAWN}
    assert all(one.reviewer != one.person for one in found)
    assert await assign() == found, "again changes nothing"
    gone = (await site.samples(made))[0]
    await site.qa.draws().ReplaceSample(api.ReplaceSampleRequest(name=gone.name, reason="NO_CONTENT"))
    after = await assign()
    assert gone.recording not in {one.recording for one in after}, "nobody owes a review of what is not there"
    assert len(after) == 5, "and another one takes its place"


def _assign(room: Room, *samples: api.Sample) -> review_api.AssignReviewsRequest:
    return review_api.AssignReviewsRequest(
        parent=room.parent,
        recordings=[one.recording for one in samples],
        series="replaced",
        origin=review_pb2.Review.ORIGIN_DRAWN,
    )


async def test_frames_that_were_read_do_not_fill_the_disk(site: Weeks, database: Database, tmp_path: Path) -> None:
    found = []
    kept = Frames(Objects((tmp_path / "objects").as_uri()), tmp_path / "scratch")
    for number in range(KEPT + 3):
        rows = frame.Rows(*(np.zeros(1, kind) for kind in frame.COLUMNS.values()))
        made = await kept.save({"site": str(number)}, rows, units=["u"], people=["p"], channels=["c"])
        found.append(made.sha256)
    assert len(list((tmp_path / "scratch").iterdir())) == KEPT
    assert [(await kept.open(sha256)).header["site"] for sha256 in found] == [str(n) for n in range(KEPT + 3)]
    assert len(list((tmp_path / "scratch").iterdir())) == KEPT


async def test_two_who_fetch_one_object_at_once_get_it_whole(tmp_path: Path) -> None:
    objects, content = Objects((tmp_path / "objects").as_uri()), bytes(range(256)) * 200_000
    await objects.put("frames/one", content)
    await asyncio.gather(*(objects.fetch("frames/one", tmp_path / "one") for _ in range(4)))
    assert (tmp_path / "one").read_bytes() == content
    kept = await asyncio.to_thread(lambda: [one.name for one in tmp_path.iterdir()])
    assert not [name for name in kept if name.startswith(".")], "no draft is left"
