"""The telephone of the mall: three rings, and the customer hangs up first."""

from __future__ import annotations

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.access import Kind
from tests.clauses.acting import clock_state, promise, state, told
from tests.integration.intake.desk import Desk, Person


async def rung(desk: Desk, telephone: Person, customer: str, rings: int) -> str:
    """A call that rang so often, five seconds apart; its name."""
    call = pb.Conversation(channel=pb.CHANNEL_PHONE, customer=customer)
    made = await telephone.stub.CreateConversation(api.CreateConversationRequest(parent=desk.parent, conversation=call))
    for ring in range(1, rings + 1):
        await telephone.stub.ReportRing(api.ReportRingRequest(name=made.name, ring=ring))
        await desk.advance(5 if ring < rings else 0)
    return made.name


@pytest.mark.clause("MALL-4.1.1-1")
async def test_a_call_is_picked_up_by_the_third_ring(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "PHONE", capacity=1)
    telephone = mall.person("pbx", "telephony", kind=Kind.SERVICE)
    in_time = await rung(mall, telephone, "m-1", rings=3)
    taken = await ann.accept(in_time)
    assert (taken.call.state, taken.call.rings) == (pb.Call.STATE_TALKING, 3)
    assert clock_state(await promise(ann, in_time, "RINGS")) == "MET"
    late = await rung(mall, telephone, "m-2", rings=3)
    assert clock_state(await promise(ann, late, "RINGS")) == "RUNNING"
    await telephone.stub.ReportRing(api.ReportRingRequest(name=late, ring=4))
    assert clock_state(await promise(ann, late, "RINGS")) == "BREACHED"


@pytest.mark.clause("MALL-4.1.3-2")
@pytest.mark.parametrize("side", ["CUSTOMER", "AGENT"])
async def test_who_hangs_up_before_the_customer_is_on_record(desk: Desk, side: str) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "PHONE")
    telephone = mall.person("pbx", "telephony", kind=Kind.SERVICE)
    name = await rung(mall, telephone, "m-1", rings=1)
    await ann.accept(name)
    over = await telephone.stub.HangUp(api.HangUpRequest(name=name, side=api.HangUpSide.Value(f"HANG_UP_SIDE_{side}")))
    assert (state(over), over.call.state) == ("WRAP_UP", pb.Call.State.Value(f"STATE_{side}_HUNG_UP"))
    assert ("agentHungUpFirst" in await told(mall, name)) == (side == "AGENT")
