"""Reception: what the customer needs and where they come from is on record before anything else happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.access import Kind
from services.kit.errors import FailedPrecondition
from tests.clauses.acting import (
    SITES,
    clock_state,
    edited_profile,
    kefu_profile,
    promise,
    shown_values,
    state,
    taken,
)
from tests.integration.intake.desk import Desk


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("online-desk", marks=pytest.mark.clause("ONLINE-2.1.1-1")),
        pytest.param("taobao-shop", marks=pytest.mark.clause("TAOBAO-1-2.1.2", "TAOBAO-3-2.3.1")),
        pytest.param("live-room", marks=pytest.mark.clause("LIVE-3.2.1-2")),
    ],
)
async def test_nothing_is_settled_before_the_need_is_known(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann, customer = await there.staff("ann", *skills), there.customer("c-1", channel)
    name = await taken(there, ann, customer, queue=queue)
    await ann.say(name, "Good morning, this is Person ann", kind=pb.Message.KIND_GREETING)
    assert state(await ann.get(name)) == "RECEPTION"
    for source in ("", "SEARCH"):
        with pytest.raises(FailedPrecondition):
            await ann.close(name, source=source)
    known = await ann.need(name, "a dress in size M for Saturday", "SEARCH")
    assert (state(known), known.need) == ("SERVING", "a dress in size M for Saturday")
    words = await customer.stub.ListMessages(api.ListMessagesRequest(parent=name))
    texts = [message.text for message in words.messages]
    assert (texts[0], texts[-1]) == ("hello", "Good morning, this is Person ann")


OPENING = [
    pytest.param("online-desk", marks=pytest.mark.clause("ONLINE-2.1.1-1", "ONLINE-3.1.2-1")),
    pytest.param("taobao-shop", marks=pytest.mark.clause("TAOBAO-3-2.1.2")),
]


@pytest.mark.parametrize("site", OPENING)
async def test_who_takes_it_is_named_by_the_standard_opening_before_anybody_writes(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann, customer = await there.staff("ann", *skills), there.customer("c-1", channel)
    name = await taken(there, ann, customer, queue=queue)
    words = (await customer.stub.ListMessages(api.ListMessagesRequest(parent=name))).messages
    opening = shown_values(site)["reception.opening"]["value"].replace("{agent}", "Person ann")
    assert [(m.kind, m.author, m.text) for m in words[1:]] == [(pb.Message.KIND_GREETING, "ann", opening)]
    assert "Person ann" in opening
    assert clock_state(await promise(ann, name, "FIRST_RESPONSE")) == "RUNNING"


@pytest.mark.clause("ONLINE-3.1.2-1")
async def test_a_greeting_without_the_agents_name_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Neither one that an agent writes nor a standard opening may leave the name out."""
    ann = await desk.staff("ann")
    name = await taken(desk, ann, desk.customer())
    with pytest.raises(FailedPrecondition) as refused:
        await ann.say(name, "Good morning", kind=pb.Message.KIND_GREETING)
    assert refused.value.metadata["guard"] == "AGENT_NAME"
    await ann.say(name, "Good morning, I am Person ann", kind=pb.Message.KIND_GREETING)
    nameless = kefu_profile("check", edited_profile(tmp_path, "online-desk", ("我是{agent}，", "")))
    assert nameless.exit_code == 1
    assert "reception.opening: does not name the agent" in nameless.output


@pytest.mark.clause("ONLINE-3.1.1-3")
async def test_where_the_customer_came_from_is_recorded(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await taken(desk, ann, desk.customer("c-1", "WECHAT"))
    with pytest.raises(FailedPrecondition) as refused:
        await ann.close(name, need="a refund")
    assert refused.value.metadata["guard"] == "SOURCE"
    await ann.need(name, "a refund", "SHANGHAI_CAMPAIGN")
    found = await desk.person("boss", "supervisor").get(name)
    assert (found.channel, found.source, state(found)) == (pb.CHANNEL_WECHAT, "SHANGHAI_CAMPAIGN", "SERVING")


@pytest.mark.clause("MALL-4.1.1-3")
async def test_a_callers_question_is_written_down_exactly(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "PHONE")
    telephone = mall.person("pbx", "telephony", kind=Kind.SERVICE)
    call = pb.Conversation(channel=pb.CHANNEL_PHONE, customer="m-1")
    rung = await telephone.stub.CreateConversation(api.CreateConversationRequest(parent=mall.parent, conversation=call))
    await mall.settle()
    assert state(await ann.accept(rung.name)) == "RECEPTION"
    with pytest.raises(FailedPrecondition):
        await ann.close(rung.name)
    question = "三楼儿童区的寄存柜几点关？"
    assert (await ann.need(rung.name, question, "HOTLINE")).need == question
    found = await mall.person("boss", "supervisor").stub.ListConversations(
        api.ListConversationsRequest(parent=mall.parent, customer="m-1")
    )
    assert [one.need for one in found.conversations] == [question]
