"""Whatever is sent twice happens once: request ids, the channel's own ids, bursts of a customer's words, races."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.errors import InvalidArgument, PermissionDenied
from services.kit.testing.nats import empty
from services.kit.testing.postgres import Databases
from tests.integration.intake.desk import START, Desk, running


@pytest_asyncio.fixture(loop_scope="session")
async def two(databases: Databases, nats_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Two instances on one database."""
    await empty(nats_url)
    url = (await databases.clone("intake", virtual=START))["intake"]
    async with running(url, nats_url, tmp_path, instances=2) as desk:
        yield desk


async def messages(desk: Desk, name: str) -> list[str]:
    reply = await desk.person("boss", "supervisor").stub.ListMessages(api.ListMessagesRequest(parent=name))
    return [message.text for message in reply.messages]


async def test_a_repeated_request_gets_its_reply_again(desk: Desk) -> None:
    customer = desk.customer(name="Li Lei")
    opened = await customer.open("hello", subject="parcel", request_id="open-1")
    first = await customer.say(opened.name, "are you there?", request_id="say-1")
    again = await customer.say(opened.name, "are you there?", request_id="say-1")
    assert again == first
    reopened = await customer.open("hello", subject="parcel", request_id="open-1")
    assert reopened == opened
    assert await messages(desk, opened.name) == ["hello", "are you there?"]


async def test_a_request_id_with_other_arguments_is_refused(desk: Desk) -> None:
    customer = desk.customer()
    opened = await customer.open("hello", request_id="open-1")
    await customer.say(opened.name, "one", request_id="say-1")
    for attempt in (customer.say(opened.name, "two", request_id="say-1"), customer.open("other", request_id="open-1")):
        with pytest.raises(InvalidArgument) as refused:
            await attempt
        assert refused.value.reason_name == "REQUEST_ID_REUSED"
    # another caller's ids are their own
    assert (await desk.customer("c-2").open("hello", request_id="open-1")).name != opened.name


async def test_a_refused_request_may_be_repeated(desk: Desk) -> None:
    ann = desk.person("ann")
    customer = desk.customer()
    opened = await customer.open()
    with pytest.raises(Exception, match="WRONG_STATE"):
        await ann.accept(opened.name, request_id="accept-1")
    await desk.staff("ann")
    await desk.settle()
    assert (await ann.accept(opened.name, request_id="accept-1")).assignee == "ann"
    assert (await ann.accept(opened.name, request_id="accept-1")).assignee == "ann"


async def test_twins_of_two_instances_store_once(two: Desk) -> None:
    opened = await two.customer().open("hello")
    customers = [two.customer(app=number % 2) for number in range(8)]
    replies = await asyncio.gather(*(c.say(opened.name, "twin", request_id="say-1") for c in customers))
    assert len({reply.name for reply in replies}) == 1
    assert await messages(two, opened.name) == ["hello", "twin"]


async def test_twin_openings_of_two_instances_open_once(two: Desk) -> None:
    conversation = pb.Conversation(channel=pb.CHANNEL_COUNTER)
    mall = two.at("mall-centre")
    staff = [mall.person("ann", app=number % 2) for number in range(8)]
    replies = await asyncio.gather(
        *(
            one.stub.CreateConversation(
                api.CreateConversationRequest(
                    parent=mall.parent, conversation=conversation, first_message="hi", request_id="open-1"
                )
            )
            for one in staff
        )
    )
    assert len({reply.name for reply in replies}) == 1


async def test_one_conversation_per_external_id(two: Desk) -> None:
    customers = [two.customer("c-1", app=number % 2) for number in range(8)]
    opened = await asyncio.gather(*(c.open("hello", external_id="ext-1") for c in customers))
    assert len({conversation.name for conversation in opened}) == 1
    assert await messages(two, opened[0].name) == ["hello"]
    with pytest.raises(PermissionDenied):
        await two.customer("c-2").open("mine?", external_id="ext-1")


async def test_a_message_of_the_channel_is_stored_once(two: Desk) -> None:
    opened = await two.customer().open("hello")
    customers = [two.customer(app=number % 2) for number in range(6)]
    sent = await asyncio.gather(*(c.say(opened.name, "once", external_id="m-1") for c in customers))
    assert len({message.name for message in sent}) == 1
    assert await messages(two, opened.name) == ["hello", "once"]


async def test_one_conversation_per_burst(two: Desk) -> None:
    customers = [two.customer("c-1", app=number % 2) for number in range(10)]
    opened = await asyncio.gather(*(c.open(f"word {number}") for number, c in enumerate(customers)))
    assert len({conversation.name for conversation in opened}) == 1
    assert sorted(await messages(two, opened[0].name)) == sorted(f"word {number}" for number in range(10))
    other_queue = await two.customer("c-1").open("something else", queue="ACCOUNT")
    other_customer = await two.customer("c-2").open("me too")
    assert len({opened[0].name, other_queue.name, other_customer.name}) == 3


async def test_a_burst_ends_with_silence(desk: Desk) -> None:
    customer = desk.customer()
    first = await customer.open("hello")
    await desk.advance(899)
    assert (await customer.open("and one thing more")).name == first.name
    await desk.advance(901)
    assert (await customer.open("a new matter")).name != first.name


async def test_an_ended_conversation_takes_no_burst(desk: Desk) -> None:
    customer = desk.customer()
    first = await customer.open("hello")
    await customer.leave(first.name)
    assert (await customer.open("hello again")).name != first.name


async def test_a_refused_neighbour_fails_nobody(desk: Desk) -> None:
    names = [(await desk.customer(f"c-{number}").open()).name for number in range(20)]
    good = [desk.customer(f"c-{number}").say(name, "good") for number, name in enumerate(names)]
    bad = [desk.customer(f"c-{number}").rate(name, 5) for number, name in enumerate(names)]
    foreign = [desk.customer("stranger").say(name) for name in names]
    outcomes = await asyncio.gather(*good, *bad, *foreign, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:20]] == [pb.Message] * 20
    assert all(isinstance(outcome, Exception) for outcome in outcomes[20:])
    for name in names:
        assert await messages(desk, name) == ["hello", "good"]


async def test_commands_on_one_conversation_apply_in_order(desk: Desk) -> None:
    customer = desk.customer()
    name = (await customer.open()).name
    await asyncio.gather(*(customer.say(name, f"{number:02}") for number in range(30)))
    assert sorted(await messages(desk, name)) == ["00", *sorted(f"{n:02}" for n in range(1, 30)), "hello"]
    versions = [entry.version for entry in await desk.history(name)]
    assert versions == list(range(1, len(versions) + 1))


async def test_commands_of_two_instances_on_one_conversation_lose_nothing(two: Desk) -> None:
    name = (await two.customer().open()).name
    words = [f"{number:02}" for number in range(40)]
    customers = [two.customer(app=app) for app in (0, 1)]
    await asyncio.gather(*(customers[number % 2].say(name, text) for number, text in enumerate(words)))
    assert sorted(await messages(two, name)) == [*words, "hello"]
    versions = [entry.version for entry in await two.history(name)]
    assert versions == list(range(1, len(versions) + 1))


async def test_a_reopened_conversation_takes_the_customers_next_words(desk: Desk) -> None:
    customer, boss = desk.customer("c-1"), desk.person("boss", "supervisor")
    first = (await customer.open("hello")).name
    await customer.leave(first)
    await boss.stub.ReopenConversation(api.ReopenConversationRequest(name=first))
    assert (await customer.open("once more")).name == first
    await customer.leave(first)
    second = (await customer.open("another matter")).name
    assert second != first
    await boss.stub.ReopenConversation(api.ReopenConversationRequest(name=first))
    assert (await customer.open("and this")).name == second
