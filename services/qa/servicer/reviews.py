"""The RPC edge of rubrics and reviews."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Final

from kefu.qa.v1 import review_pb2 as pb
from kefu.qa.v1 import review_service_pb2 as api
from kefu.qa.v1 import review_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.audit import Entry
from services.kit.call import current
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.policy.desk import Desk
from services.qa import templates
from services.qa.commands.reviews import Reviews
from services.qa.commands.rubrics import Rubrics
from services.qa.domain import rules
from services.qa.domain.intervals import LEVEL
from services.qa.domain.review import Review
from services.qa.queries import reviews as queries
from services.qa.servicer.names import (
    MEMBER,
    REVIEW,
    RUBRIC,
    SITE,
    Context,
    before_of,
    ids_of_site,
    size_of,
    uuid_ids,
)
from services.qa.servicer.reviewing import answers_from, evidence_from, review_to, scores_to
from services.qa.servicer.rubrics import criteria_from, criteria_to, rubric_to
from services.qa.store import members, rubrics
from services.qa.store.members import Member
from services.qa.store.rubrics import Rubric

WEEKS: Final = 4


class ReviewServicer(api_grpc.ReviewServiceServicer):
    """kefu.qa.v1.ReviewService."""

    def __init__(self, desk: Desk, rubrics_: Rubrics, reviews: Reviews) -> None:
        self._desk = desk
        self._rubrics = rubrics_
        self._reviews = reviews

    async def ProposeRubric(self, request: api.ProposeRubricRequest, context: Context) -> pb.Rubric:
        """What the site's regimes ask of service."""
        (site,) = SITE.parse(request.parent, "parent")
        profile = self._desk.profile(site)
        regimes = [regime.replace("_", "-") for regime in profile.regimes]
        found = templates.proposed(regimes, rules.scale(profile))
        return pb.Rubric(series="conversations", criteria=criteria_to(found))

    async def CreateRubric(self, request: api.CreateRubricRequest, context: Context) -> pb.Rubric:
        """The next version, as a draft."""
        (site,) = SITE.parse(request.parent, "parent")
        criteria = criteria_from(request.rubric.criteria)
        series = request.rubric.series

        async def run(tx: Transaction, actor: str) -> pb.Rubric:
            return rubric_to(await self._rubrics.create(tx, site, series, criteria, actor=actor))

        return await self._desk.write(site, run, pb.Rubric)

    async def PublishRubric(self, request: api.PublishRubricRequest, context: Context) -> pb.Rubric:
        """Publish a draft."""
        site, id_ = uuid_ids(RUBRIC, request.name)

        async def run(tx: Transaction, actor: str) -> pb.Rubric:
            return rubric_to(await self._rubrics.publish(tx, site, id_, actor=actor))

        return await self._desk.write(site, run, pb.Rubric)

    async def GetRubric(self, request: api.GetRubricRequest, context: Context) -> pb.Rubric:
        """One version."""
        site, id_ = uuid_ids(RUBRIC, request.name)
        async with self._desk.read(site) as tx:
            return rubric_to(await rubrics.get(tx, site, id_))

    async def ListRubrics(self, request: api.ListRubricsRequest, context: Context) -> api.ListRubricsResponse:
        """All versions, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        async with self._desk.read(site) as tx:
            found = await rubrics.page(tx, site, before=before_of(request), limit=size + 1)
        last: Rubric | None = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.created_at, last.id]) if last else ""
        return api.ListRubricsResponse(rubrics=map(rubric_to, found[:size]), next_page_token=token)

    async def SetMember(self, request: api.SetMemberRequest, context: Context) -> pb.Member:
        """Say in which team somebody is, and whether they review."""
        site, person = MEMBER.parse(request.member.name, "member.name")
        member = Member(person, request.member.team, request.member.reviewer)

        async def run(tx: Transaction, actor: str) -> pb.Member:
            await members.put(tx, site, member)
            tx.audit(Entry(site, actor, "member.update", request.member.name, f"{member.team} {member.reviewer}"))
            return _member_to(site, member)

        return await self._desk.write(site, run, pb.Member)

    async def ListMembers(self, request: api.ListMembersRequest, context: Context) -> api.ListMembersResponse:
        """Members by id."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        after = str((pages.decode(request) or [""])[0])
        async with self._desk.read(site) as tx:
            found = await members.page(tx, site, after=after, limit=size + 1)
        token = pages.encode(request, [found[size - 1].person]) if len(found) > size else ""
        return api.ListMembersResponse(members=[_member_to(site, one) for one in found[:size]], next_page_token=token)

    async def AssignReviews(self, request: api.AssignReviewsRequest, context: Context) -> api.AssignReviewsResponse:
        """Assign recordings to reviewers."""
        (site,) = SITE.parse(request.parent, "parent")
        ids = ids_of_site(site, request.recordings)
        origin = pb.Review.Origin.Name(request.origin).removeprefix("ORIGIN_")

        async def run(tx: Transaction, actor: str) -> api.AssignReviewsResponse:
            done = await self._reviews.assign(tx, site, ids, series=request.series, origin=origin, actor=actor)
            unassigned, known = (
                [f"sites/{site}/recordings/{one}" for one in some] for some in (done.unassigned, done.known)
            )
            return api.AssignReviewsResponse(
                reviews=[review_to(one) for one in done.reviews], unassigned=unassigned, known=known
            )

        return await self._desk.write(site, run, api.AssignReviewsResponse)

    async def GetReview(self, request: api.GetReviewRequest, context: Context) -> pb.Review:
        """One review with its words."""
        site, id_ = uuid_ids(REVIEW, request.name)
        async with self._desk.read(site) as tx:
            return review_to(await queries.get(tx, site, id_, current().principal), words=True)

    async def ListReviews(self, request: api.ListReviewsRequest, context: Context) -> api.ListReviewsResponse:
        """Reviews that the caller may see, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        state = pb.Review.State.Name(request.state).removeprefix("STATE_") if request.state else ""
        async with self._desk.read(site) as tx:
            found = await queries.page(
                tx,
                site,
                current().principal,
                before=before_of(request),
                limit=size + 1,
                person=request.person,
                reviewer=request.reviewer,
                state=state,
                overdue=request.overdue,
            )
        last: Review | None = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.assigned_at, last.id]) if last else ""
        return api.ListReviewsResponse(reviews=[review_to(one) for one in found[:size]], next_page_token=token)

    async def SubmitReview(self, request: api.SubmitReviewRequest, context: Context) -> pb.Review:
        """Submit the marks."""
        answers, evidence = answers_from(request.answers), evidence_from(request.evidence)

        async def run(tx: Transaction, site: str, id_: str, actor: str) -> Review:
            return await self._reviews.submit(
                tx, site, id_, answers=answers, evidence=evidence, coaching=request.coaching, actor=actor
            )

        return await self._step(request.name, run)

    async def AcknowledgeReview(self, request: api.AcknowledgeReviewRequest, context: Context) -> pb.Review:
        """Acknowledge."""

        async def run(tx: Transaction, site: str, id_: str, actor: str) -> Review:
            return await self._reviews.acknowledge(tx, site, id_, actor=actor)

        return await self._step(request.name, run)

    async def DisputeReview(self, request: api.DisputeReviewRequest, context: Context) -> pb.Review:
        """Dispute."""

        async def run(tx: Transaction, site: str, id_: str, actor: str) -> Review:
            return await self._reviews.dispute(tx, site, id_, request.reason, actor=actor)

        return await self._step(request.name, run)

    async def GetReviewScores(
        self, request: api.GetReviewScoresRequest, context: Context
    ) -> api.GetReviewScoresResponse:
        """Scores by person with intervals; one's own only without `reviews.manage`."""
        (site,) = SITE.parse(request.parent, "parent")
        profile, caller = self._desk.profile(site), current().principal
        until, weeks = _day(request.until_day), request.weeks or WEEKS
        async with self._desk.read(site) as tx:
            found = await queries.scores(tx, profile, until=until, weeks=weeks, level=request.level or LEVEL)
        made = scores_to(found)
        if not caller.may(queries.MANAGE, site):
            own = [one for one in made.scores if one.person == caller.subject]
            del made.scores[:]
            made.scores.extend(own)
        return made

    async def _step(self, name: str, run: Callable[[Transaction, str, str, str], Awaitable[Review]]) -> pb.Review:
        site, id_ = uuid_ids(REVIEW, name)

        async def handler(tx: Transaction, actor: str) -> pb.Review:
            return review_to(await run(tx, site, id_, actor))

        return await self._desk.write(site, handler, pb.Review)


def _member_to(site: str, member: Member) -> pb.Member:
    return pb.Member(name=f"sites/{site}/members/{member.person}", team=member.team, reviewer=member.reviewer)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument.field("until_day", "must be a day, YYYY-MM-DD", "day") from error
