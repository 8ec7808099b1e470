"""A conversation from the first word to the rating."""

from __future__ import annotations

from kefu.intake.v1 import conversation_pb2 as pb

from tests.integration.intake.desk import Desk

State = pb.Conversation.State


async def test_open_route_accept_reply_close_rate(desk: Desk) -> None:
    ann = await desk.staff("ann")
    customer = desk.customer("c-1", name="Li Lei")
    opened = await customer.open("where is my parcel?")
    assert State.Name(opened.state) == "STATE_QUEUED"
    await desk.settle()
    offered = await ann.get(opened.name)
    assert (State.Name(offered.state), offered.assignee) == ("STATE_ASSIGNED", "ann")
    assert offered.customer_name == "Li Lei"
    accepted = await ann.accept(opened.name)
    assert State.Name(accepted.state) == "STATE_RECEPTION"
    served = await ann.need(opened.name)
    assert State.Name(served.state) == "STATE_SERVING"
    await desk.advance(10)
    await ann.say(opened.name, "on its way")
    answered = await ann.get(opened.name)
    [clock] = [one for one in answered.clocks if one.kind == pb.Clock.KIND_FIRST_RESPONSE]
    assert clock.state == pb.Clock.STATE_MET
    assert (
        clock.stop_time.ToDatetime() - clock.start_time.ToDatetime()
        == clock.stop_time.ToDatetime() - opened.create_time.ToDatetime()
    )
    closed = await ann.close(opened.name)
    assert State.Name(closed.state) == "STATE_AWAITING_RATING"
    rated = await customer.rate(opened.name, 5)
    assert (State.Name(rated.state), rated.rating) == ("STATE_CLOSED", 5)
