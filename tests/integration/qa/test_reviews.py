"""Reviews: rubrics by two people, fair assignment, marks that hold, disputes judged by another."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import recording_service_pb2 as recording_api
from kefu.qa.v1 import review_pb2 as pb
from kefu.qa.v1 import review_service_pb2 as api

from services.kit.db import Database
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.kit.testing.polling import eventually
from services.kit.timers import Timer
from services.qa.domain.intervals import chance_to_find
from services.qa.store import deletions
from tests.integration.qa.conftest import SITE, Qa
from tests.integration.qa.reviewing import Room, answers, criterion

SERVICES = ("qa",)
FULL: dict[str, int | None] = {"warmth": 8, "accuracy": 6, "farewell": None}
STATE = pb.Review.State


@pytest_asyncio.fixture
async def room(qa: Qa, database: Database) -> Room:
    """Two reviewers, a rubric, nothing drawn or reviewed yet."""
    async with database.transaction() as tx:
        await tx.execute("TRUNCATE rubrics, reviews, recordings, members, samples CASCADE")
    made = Room(qa, SITE)
    await made.rubric()
    for reviewer in ("rob", "sue"):
        await made.member(reviewer, reviewer=True)
    return made


async def test_a_rubric_is_published_by_another_and_its_version_stays(room: Room) -> None:
    request = api.CreateRubricRequest(
        parent=room.parent, rubric=pb.Rubric(series="conversations", criteria=[criterion(id="all", weight=100.0)])
    )
    second = await room.reviews().CreateRubric(request)
    assert (second.version, second.state) == (2, pb.Rubric.STATE_DRAFT)
    with pytest.raises(PermissionDenied) as refused:
        await room.reviews().PublishRubric(api.PublishRubricRequest(name=second.name))
    assert refused.value.reason_name == "SECOND_PERSON"
    before = (await room.assign(await room.recording("ann"))).reviews[0]
    await room.reviews("chief").PublishRubric(api.PublishRubricRequest(name=second.name))
    listed = (await room.reviews().ListRubrics(api.ListRubricsRequest(parent=room.parent))).rubrics
    assert [(one.version, one.state) for one in listed] == [
        (2, pb.Rubric.STATE_PUBLISHED),
        (1, pb.Rubric.STATE_SUPERSEDED),
    ]
    assert (await room.submit(before, **FULL)).score == pytest.approx((50 * 8 + 40 * 6) / 90)
    after = (await room.assign(await room.recording("ann"))).reviews[0]
    assert (await room.submit(after, all=9)).score == 9
    with pytest.raises(FailedPrecondition):
        await room.reviews("chief").PublishRubric(api.PublishRubricRequest(name=second.name))


async def test_a_rubric_whose_weights_do_not_make_100_is_refused(room: Room, database: Database) -> None:
    before = await database.fetchval("SELECT count(*) FROM rubrics")
    with pytest.raises(InvalidArgument) as refused:
        await room.rubric(criterion(id="a", weight=60.0), criterion(id="b", weight=39.0))
    assert [(one.field, one.description) for one in refused.value.fields] == [
        ("rubric.criteria", "weigh 99 together, not 100")
    ]
    assert await database.fetchval("SELECT count(*) FROM rubrics") == before


async def test_work_is_levelled_and_nobody_reviews_themselves(room: Room) -> None:
    names = [await room.recording(person) for person in ["ann"] * 8 + ["rob"] * 3]
    done = await room.assign(*names)
    assert not done.unassigned
    held = {who: sum(one.reviewer == who for one in done.reviews) for who in ("rob", "sue")}
    assert all(one.reviewer != one.person for one in done.reviews)
    assert held["sue"] + held["rob"] == 11
    assert abs(held["sue"] - held["rob"]) <= 1
    again = await room.assign(*names)
    assert (list(again.known), list(again.reviews)) == (names, [])


async def test_ones_own_team_is_left_to_others_where_the_profile_says_so(qa: Qa, database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("TRUNCATE rubrics, reviews, recordings, members, samples CASCADE")
    room = Room(qa, "call-centre")  # a profile that does not let reviewers review their own team
    await room.rubric()
    await room.member("rob", "day", reviewer=True)
    await room.member("ann", "day")
    await room.member("bob", "night")
    mine, other = await room.recording("ann"), await room.recording("bob")
    done = await room.assign(mine, other)
    assert [one.person for one in done.reviews] == ["bob"]
    assert list(done.unassigned) == [mine]


async def test_only_the_reviewer_submits_and_every_fault_is_named(room: Room) -> None:
    review = (await room.assign(await room.recording("ann"))).reviews[0]
    other = "sue" if review.reviewer == "rob" else "rob"
    request = api.SubmitReviewRequest(name=review.name, answers=answers(**FULL))
    with pytest.raises(PermissionDenied) as stranger:
        await room.reviews(other, "reviewer").SubmitReview(request)
    assert stranger.value.reason_name == "ONLY_ONE_MAY"
    with pytest.raises(InvalidArgument) as refused:
        await room.submit(review, warmth=11, farewell=None)
    assert {one.field for one in refused.value.fields} == {"answers", "answers[0].mark"}
    request = api.SubmitReviewRequest(name=review.name, request_id=str(uuid.uuid4()))
    request.answers.extend([pb.Answer(criterion="warmth", mark=3), *answers(accuracy=6, farewell=None)])
    with pytest.raises(InvalidArgument) as bare:
        await room.reviews(review.reviewer, "reviewer").SubmitReview(request)
    assert [one.field for one in bare.value.fields] == ["answers[0].comment"]
    done = await room.submit(review, **FULL)
    assert done.state == STATE.STATE_SUBMITTED
    assert done.score == pytest.approx((50 * 8 + 40 * 6) / 90)
    with pytest.raises(FailedPrecondition):
        await room.submit(review, **FULL)


async def test_marks_comments_and_places_are_kept_and_only_who_is_concerned_reads_them(room: Room) -> None:
    review = (await room.assign(await room.recording("ann"))).reviews[0]
    request = api.SubmitReviewRequest(name=review.name, answers=answers(warmth=3, accuracy=9, farewell=7))
    request.evidence.add(at_seconds=12.5, until_seconds=20, criterion="warmth", note="sighs")
    request.coaching = "smile while you speak"
    stored = await room.reviews(review.reviewer, "reviewer").SubmitReview(request)
    assert not stored.coaching  # the stored reply holds no words
    read = await room.reviews("ann", "agent").GetReview(api.GetReviewRequest(name=review.name))
    assert [(one.criterion, one.mark) for one in read.answers] == [("warmth", 3), ("accuracy", 9), ("farewell", 7)]
    assert (read.evidence[0].at_seconds, read.evidence[0].note) == (12.5, "sighs")
    assert read.coaching == "smile while you speak"
    with pytest.raises(NotFound):
        await room.reviews("bob", "agent").GetReview(api.GetReviewRequest(name=review.name))
    listed = await room.reviews("bob", "agent").ListReviews(api.ListReviewsRequest(parent=room.parent))
    assert not listed.reviews


async def test_a_disputed_review_is_judged_by_another_who_does_not_see_the_first(room: Room) -> None:
    first = await room.reviewed("ann", warmth=3, accuracy=3, farewell=None)
    disputed = await room.reviews("ann", "agent").DisputeReview(
        api.DisputeReviewRequest(name=first.name, reason="the customer hung up")
    )
    assert disputed.state == STATE.STATE_DISPUTED
    listed = (await room.reviews().ListReviews(api.ListReviewsRequest(parent=room.parent))).reviews
    second = next(one for one in listed if one.replaces == first.name)
    assert second.reviewer != first.reviewer
    assert second.origin == pb.Review.ORIGIN_DISPUTE
    blind = await room.reviews(second.reviewer, "supervisor").GetReview(api.GetReviewRequest(name=first.name))
    assert not blind.HasField("score")
    assert not blind.answers
    assert not blind.dispute
    await room.submit(second, warmth=8, accuracy=8, farewell=None)
    resolved = await room.reviews("ann", "agent").GetReview(api.GetReviewRequest(name=first.name))
    assert (resolved.state, resolved.dispute) == (STATE.STATE_RESOLVED, "the customer hung up")
    with pytest.raises(FailedPrecondition) as used_up:
        await room.reviews("ann", "agent").DisputeReview(api.DisputeReviewRequest(name=second.name, reason="again"))
    assert used_up.value.metadata["guard"] == "DISPUTES_USED_UP"
    scores = await _scores(room)
    assert (scores["ann"].score, scores["ann"].reviewed) == (8, 1)


async def test_words_go_with_the_recording_when_a_hold_ends(room: Room, database: Database) -> None:
    review = await _quoted(room, database)
    recordings = room.qa.recordings("boss", "manager", SITE)
    await recordings.HoldRecording(recording_api.HoldRecordingRequest(name=review.recording, reason="case 7"))
    async with database.transaction(sites=[SITE]) as tx:
        assert (await deletions.erase(tx, SITE, ["fang"]))["holds"] == 1
    assert await _words(room, review) == ["smile", "heard twice", "sighs"], "the hold keeps them"
    await recordings.ReleaseRecording(recording_api.ReleaseRecordingRequest(name=review.recording))
    assert await _words(room, review) == []
    await _says_no_more(room, review)


async def test_words_go_with_a_recording_that_age_destroys(qa: Qa, room: Room, database: Database) -> None:
    review = await _quoted(room, database)
    await database.execute("UPDATE recordings SET expires_at = ended_at")
    async with database.transaction() as tx:
        await qa.parts.retention.sweep(tx.now, tx)
    assert await _words(room, review) == []
    await _says_no_more(room, review)


async def test_a_hold_that_comes_while_a_customer_is_forgotten_knows_of_it(
    qa: Qa, room: Room, database: Database
) -> None:
    review = await _quoted(room, database)
    id_ = review.recording.rpartition("/")[2]

    async def forget() -> Any:
        async with database.transaction(sites=[SITE]) as tx:
            return await deletions.erase(tx, SITE, ["fang"])

    async with database.transaction(sites=[SITE]) as tx:
        await qa.parts.retention.hold(tx, SITE, id_, "case 8", actor="boss")
        erasing = asyncio.create_task(forget())
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await eventually(lambda: database.fetchval(waiting))
    assert (await erasing)["holds"] == 1
    async with database.transaction(sites=[SITE]) as tx:
        assert (await qa.parts.retention.release(tx, SITE, id_, actor="boss")).state == "EXPIRED"


async def test_what_was_replaced_does_not_count_and_what_was_drawn_at_random_does(
    room: Room, database: Database
) -> None:
    lost = await room.reviewed("ann", warmth=2, accuracy=2, farewell=2)
    await room.reviewed("ann", warmth=8, accuracy=8, farewell=8)
    await database.execute(
        "UPDATE samples SET replace_reason = 'NO_CONTENT' WHERE recording_id = $1", lost.recording.rpartition("/")[2]
    )
    tip = await room.recording("ann")
    await room.draw(tip)  # the week's draw has it as well
    checked = await room.assign(tip, origin=pb.Review.ORIGIN_AD_HOC)
    await room.submit(checked.reviews[0], warmth=8, accuracy=8, farewell=8)
    ann = (await _scores(room))["ann"]
    assert (ann.score, ann.reviewed) == (8, 2)


async def _quoted(room: Room, database: Database) -> pb.Review:
    """A review of a customer's recording, full of words."""
    review = (await room.assign(await room.recording("ann"))).reviews[0]
    await database.execute("UPDATE recordings SET customer = 'fang'")
    request = api.SubmitReviewRequest(name=review.name, answers=answers(warmth=3, accuracy=9, farewell=7))
    request.evidence.add(at_seconds=12.5, criterion="warmth", note="sighs")
    request.coaching = "smile"
    done: pb.Review = await room.reviews(review.reviewer, "reviewer").SubmitReview(request)
    return done


async def _words(room: Room, review: pb.Review) -> list[str]:
    """What its reviewer wrote; the marks are there whatever became of the words."""
    read = await room.reviews().GetReview(api.GetReviewRequest(name=review.name))
    assert [one.mark for one in read.answers] == [3, 9, 7]
    said = [read.coaching, *(one.comment for one in read.answers), *(one.note for one in read.evidence)]
    return [one for one in said if one]


async def _says_no_more(room: Room, review: pb.Review) -> None:
    with pytest.raises(FailedPrecondition, match="was deleted"):
        await room.reviews("ann", "agent").DisputeReview(api.DisputeReviewRequest(name=review.name, reason="she said"))


async def test_a_dispute_after_the_window_or_by_another_is_refused(room: Room, database: Database) -> None:
    review = await room.reviewed("ann", **FULL)
    with pytest.raises(PermissionDenied):
        await room.reviews("bob", "agent").DisputeReview(api.DisputeReviewRequest(name=review.name, reason="no"))
    await database.execute("UPDATE reviews SET submitted_at = submitted_at - interval '8 days'")
    with pytest.raises(FailedPrecondition) as late:
        await room.reviews("ann", "agent").DisputeReview(api.DisputeReviewRequest(name=review.name, reason="no"))
    assert late.value.metadata["guard"] == "WINDOW_OVER"
    done = await room.reviews("ann", "agent").AcknowledgeReview(api.AcknowledgeReviewRequest(name=review.name))
    assert done.state == STATE.STATE_ACKNOWLEDGED


async def test_a_review_that_is_not_done_in_time_is_overdue(qa: Qa, room: Room, database: Database) -> None:
    late, done = [(await room.assign(await room.recording("ann"))).reviews[0] for _ in range(2)]
    assert late.due_time.ToDatetime() - late.create_time.ToDatetime() == timedelta(days=7)
    await room.submit(done, **FULL)
    timers = [
        Timer("review", one.name.rpartition("/")[2], "due", SITE, 1, one.due_time.ToDatetime(UTC))
        for one in (late, done)
    ]
    async with database.transaction() as tx:
        await qa.parts.judging.reviews.due(timers, tx)
    listed = await room.reviews().ListReviews(api.ListReviewsRequest(parent=room.parent, overdue=True))
    assert [one.name for one in listed.reviews] == [late.name]


async def test_scores_come_with_intervals_and_only_from_what_was_drawn(room: Room) -> None:
    marks = {"ann": (8, 7, 9, 8, 8), "bob": (3, 4, 2, 3, 3), "cat": (8, 9, 7, 8, 9)}
    for person, given in marks.items():
        for mark in given:
            await room.reviewed(person, warmth=mark, accuracy=mark, farewell=mark)
        for _ in range(5):
            await room.recording(person)
    risky = await room.assign(await room.recording("ann"), origin=pb.Review.ORIGIN_RISK)
    await room.submit(risky.reviews[0], warmth=1, accuracy=1, farewell=1)
    scores = await _scores(room)
    ann, bob, cat = (scores[person] for person in ("ann", "bob", "cat"))
    assert (ann.score, ann.reviewed, ann.recordings) == (8, 5, 11)
    assert ann.low < 8 < ann.high
    assert bob.high < ann.low
    assert (ann.best_place, ann.worst_place) == (cat.best_place, cat.worst_place) == (1, 2)
    assert (bob.best_place, bob.worst_place) == (3, 3)
    assert bob.score < bob.shrunk
    own = await room.reviews("ann", "agent").GetReviewScores(_request(room))
    assert [one.person for one in own.scores] == ["ann"]
    assert own.chance_to_find_two_percent == pytest.approx(chance_to_find(0.02, round(15 / 4)))


def _request(room: Room) -> api.GetReviewScoresRequest:
    return api.GetReviewScoresRequest(
        parent=room.parent, until_day=(datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    )


async def _scores(room: Room) -> dict[str, Any]:
    reply = await room.reviews().GetReviewScores(_request(room))
    return {one.person: one for one in reply.scores}
