"""The waiting queue: who is served by whom, and who first."""

from __future__ import annotations

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.access import Kind
from services.kit.errors import FailedPrecondition
from tests.clauses.acting import SITES, state
from tests.integration.intake.desk import Desk


@pytest.mark.clause("ONLINE-3.2.1-2")
async def test_a_vip_goes_first_at_a_peak_and_yet_nobody_starves(desk: Desk) -> None:
    for number in range(49):
        await desk.customer(f"c-{number}").open()
    await desk.advance(5)
    await desk.tier("dear", "VIP")
    vip = await desk.customer("dear").open()
    await desk.advance(2)  # 2 s × 4 are more than 7 s × 1
    ann = await desk.staff("ann", capacity=1)
    assert ((await ann.get(vip.name)).assignee, (await ann.get(vip.name)).tier) == ("ann", "VIP")
    await desk.advance(18)  # 25 s: all the others are past 80 % of their promise, where tiers count no more
    await desk.tier("also-dear", "VIP")
    second = await desk.customer("also-dear").open()
    await ann.serve(vip.name)
    await ann.close(vip.name)
    await desk.settle()
    assert (await ann.get(second.name)).assignee == ""


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("online-desk", marks=pytest.mark.clause("ONLINE-5.1.1-3")),
        pytest.param("mall-centre", marks=pytest.mark.clause("MALL-5.1.1-3")),
    ],
)
async def test_only_who_has_passed_serves_alone(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    trainee = await there.staff("trainee", *skills, certified=False)
    opened = await there.customer("c-1", channel).open(queue=queue)
    await there.settle()
    waiting = await there.person("boss", "supervisor").get(opened.name)
    assert (state(waiting), waiting.assignee) == ("QUEUED", "")
    with pytest.raises(FailedPrecondition):
        await trainee.accept(opened.name)
    ann = await there.staff("ann", *skills)
    await ann.serve(opened.name)
    with pytest.raises(FailedPrecondition) as refused:
        await ann.transfer(opened.name, person="trainee")
    assert refused.value.metadata["guard"] == "CERTIFIED"
    await there.staff("trainee", *skills)  # the exam is passed
    await ann.transfer(opened.name, person="trainee")
    assert (await trainee.accept(opened.name)).accountable_owner == "trainee"


@pytest.mark.clause("MALL-2.2.2-1")
async def test_specialists_are_reached_by_telephone_mail_and_online(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "PHONE", "GENERAL")
    telephone = mall.person("pbx", "telephony", kind=Kind.SERVICE)
    call = pb.Conversation(channel=pb.CHANNEL_PHONE, customer="m-1")
    ways = {
        "HOTLINE": await telephone.stub.CreateConversation(
            api.CreateConversationRequest(parent=mall.parent, conversation=call)
        ),
        "ONLINE": await mall.customer("m-2", "WEB").open(),
        "WRITTEN": await mall.customer("m-3", "EMAIL").open(),
    }
    for queue, opened in ways.items():
        await mall.settle()
        assert opened.queue == queue
        await ann.serve(opened.name)
        assert state(await ann.close(opened.name)) == "AWAITING_RATING"
