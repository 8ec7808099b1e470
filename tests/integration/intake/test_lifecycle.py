"""The life cycle through the contract: every state, what it allows, and the steps that a site's rules ask for."""

from __future__ import annotations

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from tests.integration.intake.desk import Customer, Desk, Person


def state(conversation: pb.Conversation) -> str:
    return pb.Conversation.State.Name(conversation.state).removeprefix("STATE_")


async def offered(desk: Desk, customer: Customer, **given: str) -> str:
    """Open a conversation and let it be routed."""
    opened = await customer.open(**given)
    await desk.settle()
    return opened.name


async def serving(desk: Desk, person: Person, customer: Customer | None = None) -> str:
    """A conversation that `person` serves."""
    name = await offered(desk, customer or desk.customer())
    await person.serve(name)
    return name


async def test_entering_asks_nothing_and_the_first_words_queue(desk: Desk) -> None:
    customer = desk.customer()
    entered = await customer.open("")
    assert state(entered) == "NEW"
    await customer.say(entered.name, "anybody there?")
    assert state(await customer.get(entered.name)) == "QUEUED"


@pytest.mark.clause("ONLINE-2.1.1-1", "ONLINE-3.1.1-3")
async def test_need_and_source_come_before_serving(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await offered(desk, desk.customer())
    accepted = await ann.accept(name)
    assert state(accepted) == "RECEPTION"
    with pytest.raises(FailedPrecondition) as refused:
        await ann.close(name)
    assert refused.value.metadata["state"] == "RECEPTION"
    served = await ann.need(name, "a refund", "SEARCH")
    assert (state(served), served.need, served.source) == ("SERVING", "a refund", "SEARCH")


@pytest.mark.clause("LIVE-3.2.1-2")
async def test_a_live_room_asks_for_the_need_only(desk: Desk) -> None:
    room = desk.at("live-room")
    host = await room.staff("host", "ROOM")
    opened = await room.customer("v-1", "LIVE").open("which size?")
    await desk.settle()
    assert state(await host.accept(opened.name)) == "RECEPTION"
    with pytest.raises(FailedPrecondition):
        await host.close(opened.name)
    closed = await host.stub.CloseConversation(
        api.CloseConversationRequest(name=opened.name, need="size", asked_anything_else=True, farewell=True)
    )
    assert state(closed) == "AWAITING_RATING"


@pytest.mark.clause("MALL-4.1.2-4")
@pytest.mark.parametrize(
    ("missing", "guard"),
    [
        ({"summary": ""}, "SUMMARY"),
        ({"asked_anything_else": False}, "ASKED_ANYTHING_ELSE"),
        ({"farewell": False}, "FAREWELL"),
    ],
)
async def test_closing_wants_its_steps(desk: Desk, missing: dict[str, object], guard: str) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "GENERAL")
    opened = await mall.customer("m-1").open("where is the shop?")
    await desk.settle()
    await ann.serve(opened.name)
    with pytest.raises(FailedPrecondition) as refused:
        await ann.close(opened.name, **missing)
    assert (refused.value.reason_name, refused.value.metadata["guard"]) == ("GUARD_NOT_MET", guard)
    assert state(await ann.close(opened.name)) == "AWAITING_RATING"


@pytest.mark.clause("ONLINE-3.1.3-3")
async def test_one_rating_on_the_scale(desk: Desk) -> None:
    ann = await desk.staff("ann")
    customer = desk.customer()
    name = await serving(desk, ann, customer)
    with pytest.raises(FailedPrecondition):
        await customer.rate(name, 5)
    await ann.close(name)
    with pytest.raises(InvalidArgument) as refused:
        await customer.rate(name, 6)
    assert refused.value.fields[0].field == "score"
    with pytest.raises(PermissionDenied):
        await desk.customer("c-2").rate(name, 1)
    assert (await customer.rate(name, 4)).rating == 4
    with pytest.raises(FailedPrecondition):
        await customer.rate(name, 5)


async def test_nobody_rates_and_it_closes_by_itself(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    await ann.close(name)
    await desk.advance(86_399)
    assert state(await ann.get(name)) == "AWAITING_RATING"
    await desk.advance(2)
    assert state(await ann.get(name)) == "CLOSED"


async def test_leaving_before_service_abandons_and_after_it_wraps_up(desk: Desk) -> None:
    early = desk.customer("early")
    waiting = await early.open()
    gone = await early.leave(waiting.name)
    assert state(gone) == "ABANDONED"
    assert gone.HasField("end_time")
    ann = await desk.staff("ann")
    late = desk.customer("late")
    name = await serving(desk, ann, late)
    assert state(await late.leave(name)) == "WRAP_UP"
    assert state(await ann.close(name)) == "AWAITING_RATING"


@pytest.mark.clause("MALL-4.1.2-2")
async def test_verification_and_call_back(desk: Desk) -> None:
    mall = desk.at("mall-centre")
    ann = await mall.staff("ann", "GENERAL")
    opened = await mall.customer("m-1").open("is my deposit there?")
    await desk.settle()
    await ann.serve(opened.name)
    await ann.say(opened.name, "I have to ask, and will call you")
    held = await ann.stub.HoldForVerification(api.HoldForVerificationRequest(name=opened.name))
    assert state(held) == "PENDING_VERIFICATION"
    [promise] = [c for c in held.clocks if c.kind == pb.Clock.KIND_VERIFICATION_CALLBACK]
    assert promise.target_seconds == 7200
    await ann.say(opened.name, "still asking")
    resumed = await ann.stub.ResumeConversation(api.ResumeConversationRequest(name=opened.name))
    assert state(resumed) == "SERVING"
    [promise] = [c for c in resumed.clocks if c.kind == pb.Clock.KIND_VERIFICATION_CALLBACK]
    assert promise.state == pb.Clock.STATE_RUNNING
    await ann.say(opened.name, "it is there")
    [promise] = [c for c in (await ann.get(opened.name)).clocks if c.kind == pb.Clock.KIND_VERIFICATION_CALLBACK]
    assert promise.state == pb.Clock.STATE_MET


@pytest.mark.clause("ONLINE-3.1.1-2")
@pytest.mark.parametrize("target", ["REDIRECT_TARGET_PHONE", "REDIRECT_TARGET_TICKET"])
async def test_redirect_to_telephone_or_ticket(desk: Desk, target: str) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    moved = await ann.stub.RedirectConversation(
        api.RedirectConversationRequest(name=name, target=api.RedirectTarget.Value(target))
    )
    assert state(moved) == "REDIRECTED"
    with pytest.raises(FailedPrecondition):
        await desk.customer().say(name, "hello?")


async def test_harassment_is_held_for_a_supervisor(desk: Desk) -> None:
    ann = await desk.staff("ann")
    customer = desk.customer()
    name = await serving(desk, ann, customer)
    held = await ann.stub.ReportHarassment(api.ReportHarassmentRequest(name=name, reason="insults"))
    assert state(held) == "HARASSMENT_HOLD"
    with pytest.raises(FailedPrecondition):
        await customer.say(name, "more of it")
    with pytest.raises(PermissionDenied):
        await ann.stub.ReleaseHold(api.ReleaseHoldRequest(name=name, resume=True))
    boss = desk.person("boss", "supervisor")
    assert state(await boss.stub.ReleaseHold(api.ReleaseHoldRequest(name=name, resume=True))) == "SERVING"
    await ann.stub.ReportHarassment(api.ReportHarassmentRequest(name=name, reason="again"))
    ended = await boss.stub.ReleaseHold(api.ReleaseHoldRequest(name=name, resume=False))
    assert state(ended) == "CLOSED"


async def test_a_redirection_and_a_hold_keep_their_own_facts(desk: Desk) -> None:
    ann = await desk.staff("ann")
    redirected = await serving(desk, ann)
    request = api.RedirectConversationRequest(name=redirected, target=api.REDIRECT_TARGET_TICKET)
    await ann.stub.RedirectConversation(request)
    held = await serving(desk, ann, desk.customer("c-2"))
    await ann.stub.ReportHarassment(api.ReportHarassmentRequest(name=held, reason="insults"))
    kept = await desk.app.database.fetch("SELECT state, redirect_target, resume_state FROM conversations ORDER BY id")
    assert [tuple(row) for row in kept] == [("REDIRECTED", "TICKET", ""), ("HARASSMENT_HOLD", "", "SERVING")]


async def test_the_same_matter_opens_again_within_the_window(desk: Desk) -> None:
    ann = await desk.staff("ann")
    customer = desk.customer()
    name = await serving(desk, ann, customer)
    await ann.close(name)
    await desk.advance(3600)
    await customer.say(name, "it broke again")
    assert state(await customer.get(name)) == "REOPENED"
    await desk.settle()
    again = await ann.get(name)
    assert (state(again), again.assignee, again.accountable_owner) == ("ASSIGNED", "ann", "ann")
    assert state(await ann.accept(name)) == "SERVING"
    await ann.close(name)
    await desk.advance(259_200 + 60)
    with pytest.raises(FailedPrecondition):
        await customer.say(name, "years later")


async def test_a_refusal_names_state_and_what_is_possible(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await offered(desk, desk.customer())
    with pytest.raises(FailedPrecondition) as refused:
        await ann.need(name)
    metadata = refused.value.metadata
    assert (refused.value.reason_name, metadata["state"]) == ("WRONG_STATE", "ASSIGNED")
    assert metadata["allowed"] == "accept, decline, hangUp, leave, takeBack"


async def test_only_who_has_it_goes_on_with_it(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    other = desk.person("bob")
    for attempt in (other.say(name), other.close(name), other.transfer(name, queue="ACCOUNT"), other.need(name)):
        with pytest.raises(FailedPrecondition) as refused:
            await attempt
        assert refused.value.reason_name == "NOT_ASSIGNEE"
    await other.say(name, "try resetting it", kind=pb.Message.KIND_NOTE)
    assert state(await desk.person("boss", "supervisor").close(name)) == "AWAITING_RATING"


@pytest.mark.clause("ONLINE-3.1.2-3")
async def test_a_transfer_keeps_its_owner_until_somebody_accepts(desk: Desk) -> None:
    ann = await desk.staff("ann", "GENERAL")
    name = await serving(desk, ann)
    await ann.say(name, "let me ask a specialist")
    handed = await ann.transfer(name, queue="SPECIALIST")
    assert (state(handed), handed.assignee, handed.accountable_owner) == ("HANDOFF_PENDING", "", "ann")
    [clock] = [c for c in handed.clocks if c.kind == pb.Clock.KIND_HANDOFF]
    assert (clock.target_seconds, clock.state) == (120, pb.Clock.STATE_RUNNING)
    await ann.say(name, "they will be with you shortly")
    spec = await desk.staff("spec", "SPECIALIST")
    await desk.settle()
    offered_to = await spec.get(name)
    assert (offered_to.assignee, offered_to.accountable_owner) == ("spec", "ann")
    with pytest.raises(FailedPrecondition):
        await ann.accept(name)
    taken = await spec.accept(name)
    assert (state(taken), taken.accountable_owner, taken.transfers) == ("SERVING", "spec", 1)
    [clock] = [c for c in taken.clocks if c.kind == pb.Clock.KIND_HANDOFF]
    assert clock.state == pb.Clock.STATE_MET
    with pytest.raises(FailedPrecondition):
        await ann.say(name, "still me")


async def test_a_declined_hand_over_returns_to_its_owner(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    bob = await desk.staff("bob")
    await ann.transfer(name, person="bob")
    back = await bob.decline(name)
    assert (state(back), back.assignee, back.accountable_owner) == ("SERVING", "ann", "ann")


async def test_transfers_are_limited_by_the_profile(desk: Desk) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    bob = await desk.staff("bob")
    for giver, taker in ((ann, bob), (bob, ann), (ann, bob)):
        await giver.transfer(name, person=taker.person)
        await taker.accept(name)
    with pytest.raises(FailedPrecondition) as refused:
        await bob.transfer(name, person="ann")
    assert (refused.value.reason_name, refused.value.metadata["limit"]) == ("LIMIT_REACHED", "routing.max_transfers")
    boss = desk.person("boss", "supervisor")
    assert (await boss.transfer(name, person="ann")).transfers == 4


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"queue": "NOWHERE"}, "INVALID_FIELD"),
        ({"person": "nobody"}, "INVALID_FIELD"),
        ({"queue": "ACCOUNT", "person": "bob"}, "INVALID_FIELD"),
        ({"person": "ann"}, "INVALID_FIELD"),
        ({"person": "away"}, "NO_CAPACITY"),
        ({"person": "green"}, "GUARD_NOT_MET"),
    ],
)
async def test_a_transfer_needs_somebody_who_can_take_it(desk: Desk, target: dict[str, str], reason: str) -> None:
    ann = await desk.staff("ann")
    name = await serving(desk, ann)
    await desk.staff("bob")
    await desk.staff("away", presence="BREAK")
    await desk.staff("green", certified=False)
    with pytest.raises((FailedPrecondition, InvalidArgument)) as refused:
        await ann.transfer(name, **target)
    assert refused.value.reason_name == reason
    assert state(await ann.get(name)) == "SERVING"


async def test_history_tells_everything_and_no_words(desk: Desk) -> None:
    ann = await desk.staff("ann")
    customer = desk.customer(name="Li Lei")
    name = await serving(desk, ann, customer)
    await ann.say(name, "secret words")
    await ann.close(name, summary="secret summary")
    entries = await desk.history(name)
    assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
    told = [entry.what for entry in entries]
    assert told == [
        "open",
        "message CUSTOMER",
        "FIRST_RESPONSE STARTED",
        "offer",
        "assign ROUTED",
        "accept",
        "assign ACCEPTED",
        "message AGENT",  # the opening
        "recordNeed",
        "message AGENT",
        "FIRST_RESPONSE MET",
        "close",
    ]
    assert {entry.actor for entry in entries} == {"customer/c-1", "router", "ann"}
    assert all(len(entry.profile_version) == 64 for entry in entries)
    assert "secret" not in str(entries)
