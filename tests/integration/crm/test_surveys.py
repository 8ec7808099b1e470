"""Surveys: sent as campaigns, answered once by token, reminded, reported."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict
from kefu.crm.v1 import campaign_service_pb2 as campaigns
from kefu.crm.v1 import survey_service_pb2 as api
from kefu.crm.v1.survey_service_pb2_grpc import SurveyServiceStub

from services.crm.profiles import SiteProfiles
from services.kit.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.kit.testing.postgres import Databases
from tests.integration.crm.conftest import SITE
from tests.integration.crm.shop import Shop, open_shop

SERVICES = ("crm",)
TOKEN = re.compile(r"[0-9a-f-]{36}\.[0-9a-f]{24}")


@pytest_asyncio.fixture(loop_scope="session")
async def shop(databases: Databases, profiles: SiteProfiles, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(databases, profiles, tmp_path) as opened:
        yield opened


async def survey(shop: Shop, **changed: Any) -> api.Survey:
    given: dict[str, Any] = {
        "title": "autumn",
        "question": "How was it?",
        "subject": "{name}，一个问题",
        "body": "Score us: {answer}",
        "channels": ["EMAIL"],
        "segment": {"all": []},
        "least": 1,
        "most": 5,
        "satisfied_from": 4,
        "reminder_after_days": 3,
        "reminders": 2,
        "open_days": 30,
        **changed,
    }
    request = api.CreateSurveyRequest(parent=shop.parent, survey=ParseDict(given, api.Survey()))
    made: api.Survey = await SurveyServiceStub(shop.channel("ann")).CreateSurvey(request)
    return made


async def start(shop: Shop, made: api.Survey) -> None:
    await shop.start(campaigns.Campaign(name=made.campaign))
    await shop.send()


def tokens(shop: Shop) -> dict[str, list[str]]:
    """Tokens by customer, in order of arrival."""
    found: dict[str, list[str]] = {}
    for to, text in zip(shop.box.got, shop.box.texts, strict=True):
        message = message_from_string(text)
        body = message.get_payload(decode=True)
        assert isinstance(body, bytes)
        found.setdefault(to.partition("@")[0], []).extend(TOKEN.findall(body.decode()))
    return found


async def answer(shop: Shop, token: str, score: int, comment: str = "") -> api.SurveyAnswer:
    stub = SurveyServiceStub(shop.channel("shop-site", "frontend"))
    given: api.SurveyAnswer = await stub.AnswerSurvey(
        api.AnswerSurveyRequest(parent=shop.parent, token=token, score=score, comment=comment)
    )
    return given


@pytest.mark.clause("TAOBAO-4-2.4.4", "TAOBAO-4-5.1.1")
async def test_a_survey_is_sent_answered_reminded_and_reported(shop: Shop) -> None:
    people = [f"c{at}" for at in range(6)]
    await shop.people(people, purpose="SURVEY")
    await shop.people(["not-asked"])
    made = await survey(shop)
    await start(shop, made)
    sent = tokens(shop)
    assert sorted(sent) == people
    await answer(shop, sent["c0"][0], 5, "更多小包装")
    await answer(shop, sent["c1"][0], 2)
    for _ in range(8):
        await shop.days(1)
        await shop.parts.surveys.remind(shop.database, SITE)
        await shop.send()
    again = tokens(shop)
    assert {one: len(found) for one, found in again.items()} == {"c0": 1, "c1": 1} | dict.fromkeys(people[2:], 2)
    assert all(len(set(found)) == 1 for found in again.values())  # a reminder carries the invitation's token
    await answer(shop, again["c2"][1], 4)
    stub = SurveyServiceStub(shop.channel("bob"))
    report = await stub.GetSurveyReport(api.GetSurveyReportRequest(name=made.name))
    assert (report.invited, report.reminded, report.answered) == (6, 4, 3)
    assert list(report.distribution) == [0, 1, 0, 1, 1]
    assert report.mean == pytest.approx(11 / 3)
    assert report.satisfied.share == pytest.approx(2 / 3)
    assert report.satisfied.low < report.satisfied.share < report.satisfied.high
    listed = await stub.ListSurveyAnswers(api.ListSurveyAnswersRequest(parent=made.name))
    assert [(one.score, one.comment) for one in listed.answers] == [(4, ""), (2, ""), (5, "更多小包装")]
    stored = await shop.database.fetchval("SELECT string_agg(sealed::text, '') FROM care_words")
    assert base64.b64encode("更多小包装".encode()).decode() not in stored


async def test_an_answer_comes_once_in_time_and_on_the_scale(shop: Shop) -> None:
    await shop.people(["c0", "c1"], purpose="SURVEY")
    made = await survey(shop)
    await start(shop, made)
    found = tokens(shop)
    with pytest.raises(InvalidArgument):
        await answer(shop, found["c0"][0], 6)
    with pytest.raises(NotFound):
        await answer(shop, found["c0"][0][:-1] + ("0" if found["c0"][0][-1] != "0" else "1"), 3)
    await answer(shop, found["c0"][0], 3)
    with pytest.raises(AlreadyExists):
        await answer(shop, found["c0"][0], 5)
    await shop.days(31)
    with pytest.raises(FailedPrecondition):
        await answer(shop, found["c1"][0], 5)


async def test_what_cannot_be_answered_or_judged_is_not_sent(shop: Shop) -> None:
    for changed, field in (
        ({"body": "no way to answer"}, "survey.body"),
        ({"satisfied_from": 1}, "survey.satisfied_from"),
        ({"least": 5, "most": 4}, "survey.satisfied_from"),
        ({"segment": {"none": []}}, "survey.segment"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await survey(shop, **changed)
        assert [one.field for one in refused.value.fields] == [field]
