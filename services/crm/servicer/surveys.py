"""The RPC edge of surveys."""

from __future__ import annotations

from datetime import UTC, datetime

from kefu.crm.v1 import survey_service_pb2 as api
from kefu.crm.v1 import survey_service_pb2_grpc as api_grpc

from services.crm import convert_surveys as convert
from services.crm.commands.surveys import COMMENT, Surveys, answer_name
from services.crm.domain.survey import Survey, report
from services.crm.servicer.desk import SITE, SURVEY, Context, Desk, size_of
from services.crm.store import campaigns, surveys
from services.kit import pages
from services.kit.db import Transaction

# Sorts after every answer, as `pages` gives positions.
_END = ["9999-12-31T00:00:00+00:00", ""]


class SurveyServicer(api_grpc.SurveyServiceServicer):
    """kefu.crm.v1.SurveyService."""

    def __init__(self, desk: Desk, commands: Surveys) -> None:
        self._desk = desk
        self._commands = commands

    async def CreateSurvey(self, request: api.CreateSurveyRequest, context: Context) -> api.Survey:
        """Draft a survey and its campaign."""
        (site,) = SITE.parse(request.parent, "parent")
        draft, asked = convert.draft_from(request.survey), request.survey
        convert.scale_from(asked)

        async def run(tx: Transaction, actor: str) -> api.Survey:
            made = await self._commands.create(
                tx, site, draft, lambda id_: convert.survey_from(site, id_, asked), actor=actor
            )
            return await _told(tx, made)

        return await self._desk.write(site, run, api.Survey)

    async def GetSurvey(self, request: api.GetSurveyRequest, context: Context) -> api.Survey:
        """One survey."""
        site, id_ = SURVEY.parse(request.name)
        async with self._desk.read(site) as tx:
            return await _told(tx, await surveys.get(tx, site, id_))

    async def ListSurveys(self, request: api.ListSurveysRequest, context: Context) -> api.ListSurveysResponse:
        """The site's surveys, newest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size, before = size_of(request), str((pages.decode(request) or [""])[0])
        async with self._desk.read(site) as tx:
            found = await surveys.page(tx, site, before=before, limit=size + 1)
            shown = [await _told(tx, one) for one in found[:size]]
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return api.ListSurveysResponse(surveys=shown, next_page_token=token)

    async def AnswerSurvey(self, request: api.AnswerSurveyRequest, context: Context) -> api.SurveyAnswer:
        """Answer by token."""
        (site,) = SITE.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> api.SurveyAnswer:
            return convert.answer_to(
                await self._commands.answer(
                    tx, site, request.token, score=request.score, comment=request.comment, actor=actor
                )
            )

        return await self._desk.write(site, run, api.SurveyAnswer)

    async def ListSurveyAnswers(
        self, request: api.ListSurveyAnswersRequest, context: Context
    ) -> api.ListSurveyAnswersResponse:
        """Answers with what people wrote, latest first."""
        site, id_ = SURVEY.parse(request.parent, "parent")
        size, (at, message) = size_of(request), pages.decode(request) or _END
        before = (datetime.fromisoformat(at).astimezone(UTC), str(message))
        async with self._desk.read(site) as tx:
            survey = await surveys.get(tx, site, id_)
            found = await surveys.answers(tx, site, id_, before=before, limit=size + 1)
            words = await self._commands.words.of(tx, site, [answer_name(survey, one.message) for one in found])
        last = found[size - 1] if len(found) > size else None
        return api.ListSurveyAnswersResponse(
            answers=[
                convert.answer_to(
                    one,
                    customer=f"sites/{site}/customers/{one.customer}",
                    comment=words.get((answer_name(survey, one.message), COMMENT), ""),
                )
                for one in found[:size]
            ],
            next_page_token=pages.encode(request, [last.at, last.message]) if last else "",
        )

    async def GetSurveyReport(self, request: api.GetSurveyReportRequest, context: Context) -> api.SurveyReport:
        """What came of it."""
        site, id_ = SURVEY.parse(request.name)
        async with self._desk.read(site) as tx:
            survey = await surveys.get(tx, site, id_)
            invited, reminded = await surveys.counts(tx, site, id_)
            scores = await surveys.scores(tx, site, id_)
        return convert.report_to(report(invited, scores, survey.scale), reminded)


async def _told(tx: Transaction, survey: Survey) -> api.Survey:
    return convert.survey_to(survey, await campaigns.get(tx, survey.site, survey.id))
