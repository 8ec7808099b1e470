"""Customers' information goes to nobody without a need: by role, by site, by customer."""

from __future__ import annotations

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from services.kit.errors import PermissionDenied
from tests.clauses.acting import SITES, served
from tests.integration.intake.desk import Desk


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("mall-centre", marks=pytest.mark.clause("MALL-7.3.2", "MALL-3.3.3")),
        pytest.param("online-desk", marks=pytest.mark.clause("ONLINE-2.2.2-2")),
        pytest.param("taobao-shop", marks=pytest.mark.clause("TAOBAO-3-2.2.5-2")),
        pytest.param("live-room", marks=pytest.mark.clause("LIVE-5.1.2")),
    ],
)
async def test_only_who_needs_it_reads_what_a_customer_said(desk: Desk, site: str) -> None:
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    ann, customer = await there.staff("ann", *skills), there.customer("c-1", channel)
    name = await served(there, ann, customer, queue=queue, text="my number is 13800138000")
    await ann.say(name, "she has called before", kind=pb.Message.KIND_NOTE)
    words = api.ListMessagesRequest(parent=name)
    everything = api.ListConversationsRequest(parent=there.parent)
    other, engineer = there.customer("c-2", channel), there.person("ops", "engineer")
    elsewhere = next(other for other in SITES if other != site)
    colleagues = [there.person("eve", "supervisor", sites=[elsewhere]), engineer, there.person("rota", "planner")]
    for stranger in (other, *colleagues):
        with pytest.raises(PermissionDenied):
            await stranger.stub.ListMessages(words)
        with pytest.raises(PermissionDenied):
            await stranger.get(name)
    assert not (await other.stub.ListConversations(everything)).conversations
    for stranger in colleagues:
        with pytest.raises(PermissionDenied):
            await stranger.stub.ListConversations(everything)
    note, number = "she has called before", "my number is 13800138000"
    theirs = [message.text for message in (await customer.stub.ListMessages(words)).messages]
    assert (theirs[0], note in theirs) == (number, False)
    for colleague in (ann, there.person("boss", "supervisor")):
        assert {number, note} <= {message.text for message in (await colleague.stub.ListMessages(words)).messages}
    board = await engineer.site.GetWallboard(site_api.GetWallboardRequest(parent=there.parent))
    assert [person.display_name for person in board.people] == ["P*"]
    assert "13800138000" not in str(await there.history(name))
