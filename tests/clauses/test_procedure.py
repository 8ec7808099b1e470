"""The laid-down procedure: step after step, on record, with one who answers for it, and its outcomes over time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from services.kit.errors import FailedPrecondition
from tests.clauses.acting import SITES, served, shown_values, state, taken
from tests.integration.intake.desk import Desk

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("site", "channel", "queue", "skills"),
    [
        pytest.param(
            "taobao-shop",
            "TAOBAO",
            "COMPLAINTS",
            ("AFTERSALES", "COMPLAINTS"),
            marks=pytest.mark.clause("TAOBAO-1-2.3.1-2"),
        ),
        pytest.param("mall-centre", "WEB", "SUGGESTIONS", ("GENERAL",), marks=pytest.mark.clause("MALL-4.3.1-1")),
    ],
)
async def test_what_it_is_about_is_on_record_before_anything_is_settled(
    desk: Desk, site: str, channel: str, queue: str, skills: tuple[str, ...]
) -> None:
    there = desk.at(site)
    ann = await there.staff("ann", *skills)
    name = await taken(there, ann, there.customer("c-1", channel), queue=queue, text="the lift is always full")
    with pytest.raises(FailedPrecondition) as refused:
        await ann.close(name)
    assert state(await ann.get(name)) == refused.value.metadata["state"] == "RECEPTION"
    await ann.need(name, "a second lift on the east side")
    await ann.close(name)
    boss = there.person("boss", "supervisor")
    found = await boss.stub.ListConversations(api.ListConversationsRequest(parent=there.parent, customer="c-1"))
    assert [(one.queue, one.need) for one in found.conversations] == [(queue, "a second lift on the east side")]


@pytest.mark.clause("MALL-7.1.1")
async def test_customer_question_complaint_and_result_are_recorded_exactly(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann, customer = await mall.staff("ann", "COMPLAINTS"), mall.customer("m-1", "WEB", name="王秀英")
    words = "儿童乐园的地垫破了，孩子摔了一跤！"
    name = await served(mall, ann, customer, queue="COMPLAINTS", text=words)
    await ann.close(name, summary="mat replaced, apologised")
    await customer.rate(name, 4)
    boss = mall.person("boss", "supervisor")
    found = await boss.stub.ListConversations(api.ListConversationsRequest(parent=mall.parent, customer="m-1"))
    [record] = found.conversations
    assert (record.customer_name, record.queue, record.need) == ("王秀英", "COMPLAINTS", "a refund")
    assert (record.summary, record.rating) == ("mat replaced, apologised", 4)
    said = (await boss.stub.ListMessages(api.ListMessagesRequest(parent=name))).messages
    assert [message.text for message in said] == [words]


@pytest.mark.clause("MALL-1.3.3-2")
async def test_steps_happen_in_the_laid_down_order_only(desk: Desk) -> None:
    """Whoever skips a step is refused, and told which ones are open."""
    mall = desk.at("mall-centre")
    ann, customer = await mall.staff("ann", "GENERAL"), mall.customer("m-1", "WEB")
    boss = mall.person("boss", "supervisor")
    name = (await customer.open()).name
    await mall.settle()

    async def refused(step: Any) -> set[str]:
        before = await boss.get(name)
        with pytest.raises(FailedPrecondition) as error:
            await step
        assert await boss.get(name) == before
        assert error.value.metadata["state"] == state(before)
        return set(error.value.metadata["allowed"].split(", "))

    assert "accept" in await refused(ann.say(name, "not taken yet"))
    await ann.accept(name)
    assert "recordNeed" in await refused(ann.close(name))
    assert "close" not in await refused(customer.rate(name, 5))
    await ann.need(name)
    await ann.stub.HoldForVerification(api.HoldForVerificationRequest(name=name))
    assert "resume" in await refused(ann.close(name))
    await ann.stub.ResumeConversation(api.ResumeConversationRequest(name=name))
    assert "close" in await refused(customer.rate(name, 5))
    await ann.close(name)
    assert "rate" in await refused(ann.transfer(name, queue="COMPLAINTS"))
    assert state(await customer.rate(name, 5)) == "CLOSED"


@pytest.mark.clause("MALL-8.1.2")
async def test_while_departments_are_asked_the_centre_answers_for_it_until_the_end(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "GENERAL")
    name = await served(mall, ann, mall.customer("m-1", "WEB"), queue="ONLINE")
    await ann.say(name, "I will ask the tenant and the technicians")
    held = await ann.stub.HoldForVerification(api.HoldForVerificationRequest(name=name))
    assert (held.assignee, held.accountable_owner) == ("ann", "ann")
    await mall.advance(DAY.total_seconds())
    waiting = await ann.get(name)
    assert (state(waiting), waiting.accountable_owner) == ("PENDING_VERIFICATION", "ann")
    with pytest.raises(FailedPrecondition):
        await ann.close(name)
    await ann.stub.ResumeConversation(api.ResumeConversationRequest(name=name))
    await ann.say(name, "both are done")
    assert (await ann.close(name)).accountable_owner == "ann"


@pytest.mark.clause("TAOBAO-1-2.2.5-1")
async def test_after_service_the_customer_is_invited_to_review_it(desk: Desk) -> None:
    """The customer's own page learns at once that a review is wanted; it is taken for a day."""
    shop = desk.at("taobao-shop")
    ann = await shop.staff("ann", "PRESALES")
    customers = [shop.customer(f"c-{number}", "TAOBAO") for number in range(2)]
    first, second = [await served(shop, ann, customer) for customer in customers]
    stream = customers[0].stub.WatchConversation(api.WatchConversationRequest(name=first))
    seen: Any = stream.__aiter__()
    for name in (first, second):
        await ann.say(name, "sent today")
        await ann.close(name)
    await shop.settle()
    async with asyncio.timeout(10):
        while state((await anext(seen)).conversation) != "AWAITING_RATING":
            pass
    stream.cancel()
    assert state(await customers[0].rate(first, 5)) == "CLOSED"
    await shop.advance(shown_values("taobao-shop")["closing.rating_window_s"]["value"] + 1)
    with pytest.raises(FailedPrecondition):
        await customers[1].rate(second, 5)


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("live-room", marks=pytest.mark.clause("LIVE-1.1")),
        pytest.param("online-desk", marks=pytest.mark.clause("ONLINE-1-1")),
    ],
)
async def test_quality_speed_and_satisfaction_can_be_followed_from_day_to_day(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann, boss = await there.staff("ann", *skills, presence="BREAK"), there.person("boss", "supervisor")
    days = []
    for day, (wait, score) in enumerate(((100, 2), (5, 5))):
        begin, customer = there.now, there.customer(f"c-{day}", channel)
        name = (await customer.open(queue=queue)).name
        await there.advance(wait)
        await there.presence("ann", "AVAILABLE")
        await ann.serve(name)
        await ann.say(name, "here it is")
        await ann.close(name)
        await customer.rate(name, score)
        await there.presence("ann", "BREAK")
        await there.advance((begin + DAY - there.now).total_seconds())
        request = site_api.GetServiceLevelReportRequest(parent=there.parent)
        getattr(request, "from").FromDatetime(begin)
        request.to.FromDatetime(begin + DAY)
        days.append((await boss.site.GetServiceLevelReport(request)).total)
    assert [day.first_response.ratio for day in days] == [0, 1]
    assert [day.first_response_mean_seconds for day in days] == [pytest.approx(100), pytest.approx(5)]
    assert [day.rating_mean for day in days] == [2, 5]
