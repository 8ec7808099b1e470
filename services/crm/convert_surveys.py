"""Contract ↔ domain: surveys."""

from __future__ import annotations

from datetime import timedelta

from kefu.crm.v1 import survey_service_pb2 as api

from services.crm.convert_campaigns import segment_from, segment_to
from services.crm.domain.campaign import Campaign, Draft
from services.crm.domain.guard import Purpose
from services.crm.domain.intervals import Interval
from services.crm.domain.survey import Reminding, Report, Scale, Survey
from services.crm.store.surveys import Answer
from services.kit.errors import InvalidArgument
from services.kit.instants import stamp


def draft_from(survey: api.Survey) -> Draft:
    """The campaign that sends it. Raises InvalidArgument for an invitation that cannot be answered."""
    if "{answer}" not in survey.body:
        raise InvalidArgument.field("survey.body", "must hold {answer}, the token by which customers answer")
    return Draft(
        kind="SURVEY",
        purpose=Purpose.SURVEY,
        title=survey.title.strip(),
        subject=survey.subject.strip(),
        body=survey.body,
        channels=tuple(dict.fromkeys(survey.channels)),
        segment=segment_from(survey.segment, "survey.segment"),
        holdout_share=0.0,
        window_days=survey.open_days,
        recurring=survey.recurring,
    )


def survey_from(site: str, id_: str, survey: api.Survey) -> Survey:
    """The question and its scale. Raises InvalidArgument for a scale that makes no sense."""
    return Survey(
        site,
        id_,
        survey.question.strip(),
        scale_from(survey),
        Reminding(timedelta(days=survey.reminder_after_days), survey.reminders),
    )


def scale_from(survey: api.Survey) -> Scale:
    """The scale. Raises InvalidArgument for one that makes no sense."""
    try:
        return Scale(survey.least, survey.most, survey.satisfied_from)
    except ValueError as fault:
        raise InvalidArgument.field("survey.satisfied_from", "must lie above least and at most at most") from fault


def survey_to(survey: Survey, campaign: Campaign) -> api.Survey:
    """A survey with what its campaign says."""
    draft = campaign.draft
    return api.Survey(
        name=survey.name,
        campaign=campaign.name,
        title=draft.title,
        question=survey.question,
        subject=draft.subject,
        body=draft.body,
        channels=draft.channels,
        segment=segment_to(draft.segment),
        least=survey.scale.least,
        most=survey.scale.most,
        satisfied_from=survey.scale.satisfied_from,
        reminder_after_days=survey.reminding.after.days,
        reminders=survey.reminding.most,
        open_days=draft.window_days,
        recurring=draft.recurring,
    )


def answer_to(answer: Answer, *, customer: str = "", comment: str = "") -> api.SurveyAnswer:
    """An answer; who gave it and in which words is told in lists alone."""
    return api.SurveyAnswer(score=answer.score, time=stamp(answer.at), customer=customer, comment=comment)


def report_to(found: Report, reminded: int) -> api.SurveyReport:
    """What came of a survey."""
    made = api.SurveyReport(
        invited=found.invited,
        reminded=reminded,
        answered=found.answered,
        response=_share_to(found.response),
        satisfied=_share_to(found.satisfied),
        distribution=list(found.distribution.values()),
    )
    if found.mean is not None:
        made.mean = found.mean
    return made


def _share_to(interval: Interval) -> api.SurveyShare:
    return api.SurveyShare(share=interval.estimate, low=interval.low, high=interval.high)
