"""Complex questions: with the specialists in two minutes, somebody always accountable, no passing the buck."""

from __future__ import annotations

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.errors import FailedPrecondition
from tests.clauses.acting import SITES, clock_state, promise, served, state
from tests.integration.intake.desk import Desk


@pytest.mark.clause("ONLINE-3.1.2-3")
async def test_a_specialist_takes_it_within_two_minutes(desk: Desk) -> None:
    ann = await desk.staff("ann", capacity=2)
    taken, forgotten = [await served(desk, ann, desk.customer(customer)) for customer in ("c-1", "c-2")]
    for name in (taken, forgotten):
        await ann.say(name, "a colleague knows this better")
        handed = await ann.transfer(name, queue="SPECIALIST")
        assert (state(handed), handed.accountable_owner) == ("HANDOFF_PENDING", "ann")
    await desk.advance(119)
    expert = await desk.staff("expert", "SPECIALIST", capacity=1)
    mine = taken if (await expert.get(taken)).assignee == "expert" else forgotten
    other = forgotten if mine == taken else taken
    await desk.advance(1)
    accepted = await expert.accept(mine)
    assert (state(accepted), accepted.accountable_owner) == ("SERVING", "expert")
    kept = await promise(expert, mine, "HANDOFF")
    assert (clock_state(kept), kept.target_seconds) == ("MET", 120)
    assert clock_state(await promise(ann, other, "HANDOFF")) == "RUNNING"
    await desk.advance(0.001)
    assert clock_state(await promise(ann, other, "HANDOFF")) == "BREACHED"
    assert (await ann.get(other)).accountable_owner == "ann"


@pytest.mark.clause("ONLINE-3.1.2-3")
async def test_a_colleague_who_declines_does_not_restart_the_two_minutes(desk: Desk) -> None:
    ann = await desk.staff("ann")
    bob, expert = [await desk.staff(person, "SPECIALIST") for person in ("bob", "expert")]
    name = await served(desk, ann, desk.customer())
    await ann.say(name, "a colleague knows this better")
    await ann.transfer(name, person="bob")
    await desk.advance(50)
    back = await bob.decline(name)
    assert (state(back), back.assignee) == ("SERVING", "ann")
    await desk.advance(50)
    await ann.transfer(name, person="expert")
    await desk.advance(20)
    assert clock_state(await promise(ann, name, "HANDOFF")) == "RUNNING"
    await desk.advance(0.001)
    assert clock_state(await promise(ann, name, "HANDOFF")) == "BREACHED"
    await expert.accept(name)
    late = await promise(expert, name, "HANDOFF")
    assert (late.number, late.target_seconds, clock_state(late)) == (1, 120, "STOPPED_LATE")


@pytest.mark.parametrize(
    ("site", "limit"),
    [
        pytest.param("live-room", 2, marks=pytest.mark.clause("LIVE-3.1.2-2")),
        pytest.param("mall-centre", 2, marks=pytest.mark.clause("MALL-4.1.2-3")),
    ],
)
async def test_nobody_passes_the_buck(desk: Desk, site: str, limit: int) -> None:
    """Handed over a limited number of times; until somebody accepts, who handed it over answers for it."""
    channel, queue, skills = SITES[site]
    there = desk.at(site)
    giver = await there.staff("p-0", *skills)
    name = await served(there, giver, there.customer("c-1", channel), queue=queue)
    for number in range(1, limit + 1):
        taker = await there.staff(f"p-{number}", *skills)
        offered = await giver.transfer(name, person=taker.person)
        assert offered.accountable_owner == giver.person
        assert (await taker.accept(name)).accountable_owner == taker.person
        giver = taker
    with pytest.raises(FailedPrecondition) as refused:
        await giver.transfer(name, person="p-0")
    assert refused.value.metadata["limit"] == "routing.max_transfers"
    kept = await giver.get(name)
    assert (state(kept), kept.assignee, kept.transfers) == ("SERVING", giver.person, limit)


@pytest.mark.clause("TAOBAO-5-2.2.2")
async def test_colleagues_solve_it_together_behind_the_customers_back(desk: Desk) -> None:
    shop = desk.at("taobao-shop")
    ann, bob = await shop.staff("ann", "PRESALES"), await shop.staff("bob", "AFTERSALES")
    customer = shop.customer("c-1", "TAOBAO")
    name = await served(shop, ann, customer)
    await ann.say(name, "who knows this fabric?", kind=pb.Message.KIND_NOTE)
    await bob.say(name, "it may be washed at 30 degrees", kind=pb.Message.KIND_NOTE)
    with pytest.raises(FailedPrecondition):
        await bob.say(name, "wash it at 30 degrees")
    await ann.say(name, "30 degrees is fine")
    request = api.ListMessagesRequest(parent=name)
    notes = [(m.author, m.text) for m in (await ann.stub.ListMessages(request)).messages if m.kind == m.KIND_NOTE]
    assert notes == [("ann", "who knows this fabric?"), ("bob", "it may be washed at 30 degrees")]
    theirs = [m.text for m in (await customer.stub.ListMessages(request)).messages if m.kind == m.KIND_TEXT]
    assert theirs == ["hello", "30 degrees is fine"]
    assert (await ann.get(name)).accountable_owner == "ann"


@pytest.mark.clause("MALL-4.1.2-2")
async def test_when_departments_are_asked_the_customer_is_told_and_called_back(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "GENERAL", capacity=2)
    answered, forgotten = [
        await served(mall, ann, mall.customer(customer), queue="ONLINE") for customer in ("m-1", "m-2")
    ]
    for name in (answered, forgotten):
        await ann.say(name, "I must ask the tenant and will call you")
        held = await ann.stub.HoldForVerification(api.HoldForVerificationRequest(name=name))
        assert state(held) == "PENDING_VERIFICATION"
    await mall.advance(7200)
    await ann.stub.ResumeConversation(api.ResumeConversationRequest(name=answered))
    await ann.say(answered, "they do have it")
    kept = await promise(ann, answered, "VERIFICATION_CALLBACK")
    assert (clock_state(kept), kept.target_seconds) == ("MET", 7200)
    await mall.advance(0.001)
    assert clock_state(await promise(ann, forgotten, "VERIFICATION_CALLBACK")) == "BREACHED"


@pytest.mark.clause("ONLINE-3.1.1-2")
async def test_a_customer_is_led_to_telephone_or_ticket(desk: Desk) -> None:
    ann = await desk.staff("ann")
    for target in (api.REDIRECT_TARGET_PHONE, api.REDIRECT_TARGET_TICKET):
        name = await served(desk, ann, desk.customer())
        moved = await ann.stub.RedirectConversation(api.RedirectConversationRequest(name=name, target=target))
        assert (state(moved), moved.HasField("end_time")) == ("REDIRECTED", True)
        with pytest.raises(FailedPrecondition):
            await ann.say(name, "still here?")
