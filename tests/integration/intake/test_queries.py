"""Reading conversations: filters, pages, and who sees what."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.kit.errors import InvalidArgument, NotFound, PermissionDenied
from tests.integration.intake.desk import Client, Desk


async def listed(client: Client, **filters: object) -> list[str]:
    request = api.ListConversationsRequest(parent=client.desk.parent, **filters)  # type: ignore[arg-type]
    return [one.name for one in (await client.stub.ListConversations(request)).conversations]


@pytest.mark.clause("ONLINE-3.2.1-2")
async def test_a_conversation_shows_its_promise_and_its_place_in_the_queue(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    await desk.tier("vip", "VIP")
    first = await desk.customer("plain").open()
    await desk.advance(8)
    second = await desk.customer("plain-too").open()
    third = await desk.customer("vip").open()
    await desk.advance(4)
    found = await boss.get(third.name)
    (clock,) = found.clocks
    assert (clock.kind, clock.target_seconds, clock.state) == (pb.Clock.KIND_FIRST_RESPONSE, 30, pb.Clock.STATE_RUNNING)
    # 12 s × 1, 4 s × 4 (VIP), 4 s × 1
    assert [(await boss.get(one.name)).queue_position for one in (third, first, second)] == [1, 2, 3]
    await desk.advance(13)  # 25 s: the first is past 80 % of its promise, and tiers count no more
    assert [(await boss.get(one.name)).queue_position for one in (first, third, second)] == [1, 2, 3]


async def test_lists_are_newest_first_page_by_page_without_gap_or_double(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    names = [(await desk.customer(f"c-{n}").open()).name for n in range(7)]
    seen: list[str] = []
    request = api.ListConversationsRequest(parent=desk.parent, page_size=3)
    while True:
        reply = await boss.stub.ListConversations(request)
        assert len(reply.conversations) <= 3
        seen += [one.name for one in reply.conversations]
        if not reply.next_page_token:
            break
        request.page_token = reply.next_page_token
    assert seen == names[::-1]


async def test_filters_narrow_together(desk: Desk) -> None:
    ann, boss = await desk.staff("ann"), desk.person("boss", "supervisor")
    mine = await desk.customer("c-1").open()
    await desk.settle()
    await ann.serve(mine.name)
    await desk.advance(5)
    other = await desk.customer("c-2").open(queue="SPECIALIST")
    between = Timestamp()
    between.FromDatetime(desk.now)
    assert await listed(boss, queue="SPECIALIST") == [other.name]
    assert await listed(boss, assignee="ann") == [mine.name]
    assert await listed(boss, assignee="ann", queue="SPECIALIST") == []
    assert await listed(boss, customer="c-2") == [other.name]
    assert await listed(boss, states=[pb.Conversation.STATE_SERVING]) == [mine.name]
    assert await listed(boss, create_time_from=between) == [other.name]
    assert await listed(boss, create_time_to=between) == [mine.name]


async def test_messages_come_oldest_first_and_customers_see_no_notes(desk: Desk) -> None:
    ann, customer = await desk.staff("ann"), desk.customer("c-1")
    opened = await customer.open("第一句")
    await desk.settle()
    await ann.serve(opened.name)
    await ann.say(opened.name, "只给同事看", kind=pb.Message.KIND_NOTE)
    await desk.advance(1)
    await ann.say(opened.name, "您好")
    request = api.ListMessagesRequest(parent=opened.name, page_size=3)
    first = await ann.stub.ListMessages(request)
    request.page_token = first.next_page_token
    rest = await ann.stub.ListMessages(request)
    question, opening, *others = [one.text for one in [*first.messages, *rest.messages]]
    assert (question, others) == ("第一句", ["只给同事看", "您好"])
    assert "Person ann" in opening
    assert rest.next_page_token == ""
    theirs = await customer.stub.ListMessages(api.ListMessagesRequest(parent=opened.name))
    assert [one.text for one in theirs.messages] == ["第一句", opening, "您好"]


async def test_history_numbers_every_change_and_holds_nobodys_words(desk: Desk) -> None:
    ann = await desk.staff("ann")
    opened = await desk.customer("c-1").open("秘密的话")
    await desk.settle()
    await ann.serve(opened.name)
    await desk.advance(31)
    request = api.ListHistoryRequest(parent=opened.name, page_size=3)
    entries: list[api.HistoryEntry] = []
    while True:
        reply = await ann.stub.ListHistory(request)
        entries += reply.entries
        if not reply.next_page_token:
            break
        request.page_token = reply.next_page_token
    versions = [entry.version for entry in entries]
    assert versions == sorted(set(versions))
    breach = next(entry for entry in entries if entry.what == "FIRST_RESPONSE BREACHED")
    assert breach.actor == "timer"
    assert (breach.time.ToDatetime() - opened.create_time.ToDatetime()).total_seconds() == 30
    assert "秘密" not in str(entries)
    assert "refund" not in str(entries)


async def test_a_customer_sees_only_their_own(desk: Desk) -> None:
    mine, other = await desk.customer("c-1").open(), await desk.customer("c-2").open()
    customer = desk.customer("c-1")
    assert (await customer.get(mine.name)).name == mine.name
    assert await listed(customer) == [mine.name]
    assert await listed(customer, customer="c-2") == [mine.name]
    missing = f"{desk.parent}/conversations/nobody"
    for name in (other.name, missing):  # a foreign conversation looks like none at all
        with pytest.raises(PermissionDenied):
            await customer.get(name)
        with pytest.raises(PermissionDenied):
            await customer.stub.ListMessages(api.ListMessagesRequest(parent=name))
        with pytest.raises(PermissionDenied):
            await customer.stub.ListHistory(api.ListHistoryRequest(parent=name))


async def test_people_of_another_site_are_refused_and_unknown_names_not_found(desk: Desk) -> None:
    opened = await desk.customer("c-1").open()
    with pytest.raises(PermissionDenied):
        await desk.person("eve", "supervisor", sites=["mall-centre"]).get(opened.name)
    with pytest.raises(NotFound):
        await desk.person("boss", "supervisor").get(f"{desk.parent}/conversations/nobody")


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"states": [99]}, "states[0]"),
        ({"query": "x" * 101}, "query"),
        ({"create_time_from": Timestamp(seconds=10**15)}, "create_time_from"),
    ],
)
async def test_bad_input_names_the_field(desk: Desk, request_fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await listed(desk.person("boss", "supervisor"), **request_fields)
    assert [violation.field for violation in refused.value.fields] == [field]


async def test_a_page_token_belongs_to_one_listing(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    for n in range(2):
        await desk.customer(f"c-{n}").open()
    page = await boss.stub.ListConversations(api.ListConversationsRequest(parent=desk.parent, page_size=1))
    for token in (page.next_page_token, "rubbish"):
        with pytest.raises(InvalidArgument) as refused:
            await listed(boss, queue="GENERAL", page_token=token)
        assert refused.value.reason_name == "PAGE_TOKEN_MISMATCH"
