"""Streams: nothing missed, nothing twice, nobody's words where they do not belong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import site_service_pb2 as site_api

from services.intake.queries import feed as feeds
from services.intake.queries.feed import Feed, Item, Subscription
from services.kit import bus
from services.kit.errors import InvalidArgument, PermissionDenied, ResourceExhausted
from tests.integration.intake.desk import Client, Desk


class Watch:
    """Reads a stream, leaving heartbeats out."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._responses: AsyncIterator[Any] = stream.__aiter__()
        self.cursor = ""

    async def next(self) -> Any:
        async with asyncio.timeout(10):
            response = await anext(self._responses)
        self.cursor = response.cursor
        return response

    async def until(self, what: Any) -> list[Any]:
        """The responses up to the first that fulfils `what`."""
        seen = [await self.next()]
        while not what(seen[-1]):
            seen.append(await self.next())
        return seen

    def close(self) -> None:
        self._stream.cancel()


def watch(client: Client, name: str, cursor: str = "") -> Watch:
    return Watch(client.stub.WatchConversation(api.WatchConversationRequest(name=name, cursor=cursor)))


def watch_site(desk: Desk, cursor: str = "", person: str = "boss", *roles: str, kinds: Sequence[str] = ()) -> Watch:
    stub = desk.person(person, *(roles or ("supervisor",))).site
    return Watch(stub.WatchSite(site_api.WatchSiteRequest(parent=desk.parent, cursor=cursor, kinds=kinds)))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)


def texts(responses: list[Any]) -> list[str]:
    return [response.message.text for response in responses if response.HasField("message")]


def said(text: str) -> Any:
    return lambda response: response.HasField("message") and response.message.text == text


def in_state(state: pb.Conversation.State.ValueType) -> Any:
    return lambda response: response.HasField("conversation") and response.conversation.state == state


async def test_a_stream_begins_with_everything_and_goes_on_with_what_happens(desk: Desk) -> None:
    ann, customer = await desk.staff("ann"), desk.customer("c-1")
    opened = await customer.open("第一句")
    await desk.settle()
    stream = watch(customer, opened.name)
    first = await stream.until(in_state(pb.Conversation.STATE_ASSIGNED))
    assert texts(first) == ["第一句"]
    await ann.serve(opened.name)
    await desk.settle()
    await stream.until(in_state(pb.Conversation.STATE_SERVING))
    await ann.say(opened.name, "只给同事看", kind=pb.Message.KIND_NOTE)
    await ann.say(opened.name, "您好")
    await desk.settle()
    seen = await stream.until(said("您好"))
    assert "只给同事看" not in texts(seen)
    stream.close()


async def test_a_reconnect_with_the_last_cursor_misses_nothing_and_repeats_nothing(desk: Desk) -> None:
    ann, customer = await desk.staff("ann"), desk.customer("c-1")
    opened = await customer.open("第 0 句")
    await desk.settle()
    await ann.serve(opened.name)
    stream = watch(ann, opened.name)
    seen = texts(await stream.until(said("第 0 句")))
    for number in range(1, 7):
        await desk.advance(1)
        await customer.say(opened.name, f"第 {number} 句")
        if number % 2 == 0:  # meanwhile two were said
            stream.close()
            stream = watch(ann, opened.name, stream.cursor)
            seen += texts(await stream.until(said(f"第 {number} 句")))
    stream.close()
    opening = [text for text in seen if "Person ann" in text]
    assert len(opening) == 1
    assert [text for text in seen if text not in opening] == [f"第 {number} 句" for number in range(7)]


async def test_a_breach_reaches_the_stream_by_itself(desk: Desk) -> None:
    customer = desk.customer("c-1")
    opened = await customer.open()
    stream = watch(customer, opened.name)
    await stream.until(lambda response: response.HasField("conversation"))
    await desk.advance(31)
    await stream.until(
        lambda response: any(clock.state == pb.Clock.STATE_BREACHED for clock in response.conversation.clocks)
    )
    stream.close()


async def test_nobody_watches_what_is_not_theirs(desk: Desk) -> None:
    opened = await desk.customer("c-1").open()
    with pytest.raises(PermissionDenied):
        await watch(desk.customer("c-2"), opened.name).next()
    with pytest.raises(PermissionDenied):
        await watch(desk.person("eve", "supervisor", sites=["mall-centre"]), opened.name).next()
    with pytest.raises(PermissionDenied):
        await watch_site(desk, "", "c", "customer").next()
    for cursor in ("x", "-1", "9" * 30):
        with pytest.raises(InvalidArgument):
            await watch_site(desk, cursor).next()
    with pytest.raises(InvalidArgument):
        await watch(desk.person("boss", "supervisor"), opened.name, "1.x").next()


async def test_a_site_tells_what_happens_in_order_and_without_words(desk: Desk) -> None:
    before = str(await desk.feed.ready())
    ann, customer = await desk.staff("ann"), desk.customer("c-1", name="欧阳娜娜")
    opened = await customer.open("秘密的话", subject="秘密的事")
    await desk.settle()
    await ann.serve(opened.name)
    await desk.advance(31)
    stream = watch_site(desk, before)
    seen = await stream.until(lambda response: response.details.get("change") == "BREACHED")
    stream.close()
    kinds = [response.kind for response in seen]
    assert {"person_changed", "presence_changed", "conversation_moved", "assignment_changed", "message_added"} <= {
        *kinds
    }
    assert [int(response.cursor) for response in seen] == sorted({int(response.cursor) for response in seen})
    moved = [r.details["to_state"] for r in seen if r.kind == "conversation_moved" and r.conversation == opened.name]
    assert moved == ["QUEUED", "ASSIGNED", "RECEPTION", "SERVING"]
    for word in ("秘密", "欧阳", "Person ann", "refund"):
        assert word not in str(seen)


async def test_a_site_stream_resumes_after_its_cursor(desk: Desk) -> None:
    stream = watch_site(desk, str(await desk.feed.ready()))
    await desk.customer("c-1").open()
    await desk.settle()
    first = await stream.until(lambda response: response.kind == "message_added")
    stream.close()
    second = await desk.customer("c-2").open()
    await desk.settle()
    again = watch_site(desk, stream.cursor)
    seen = await again.until(lambda response: response.kind == "message_added" and response.conversation == second.name)
    again.close()
    assert not {response.cursor for response in first} & {response.cursor for response in seen}
    assert {response.conversation for response in seen if response.conversation} >= {second.name}


async def test_a_watcher_of_one_kind_hears_of_nothing_else_and_still_moves_on(desk: Desk) -> None:
    before = str(await desk.feed.ready())
    for n in range(3):
        await desk.customer(f"c-{n}").open()
    await desk.settle()
    stream = watch_site(desk, before, kinds=["message_added"])
    assert [(await stream.next()).kind for _ in range(3)] == ["message_added"] * 3
    stream.close()
    items = desk.feed.watch(desk.site, None, frozenset({"surge_changed"}), heartbeat=0.05)
    assert (await anext(items)).sequence == desk.feed.position
    await desk.customer("c-4").open()
    await desk.settle()
    await until(lambda: desk.feed.position > int(stream.cursor))
    silence = await anext(items)
    assert (silence.event, silence.sequence) == (None, desk.feed.position)
    await items.aclose()
    with pytest.raises(InvalidArgument) as refused:
        await watch_site(desk, kinds=["message_added", "mesage_added"]).next()
    assert [violation.field for violation in refused.value.fields] == ["kinds[1]"]


async def test_many_watchers_share_one_reader(desk: Desk) -> None:
    streams = [watch_site(desk, "", f"p-{n}") for n in range(20)]
    waiting = [asyncio.create_task(stream.next()) for stream in streams]
    await until(lambda: len(desk.feed._sites.get(desk.site, ())) == 20)
    opened = await desk.customer("c-1").open()
    await desk.settle()
    assert {(await task).conversation for task in waiting} == {opened.name}
    async with bus.connected(desk.nats_url, "test") as link:
        readers = [info for info in await link.jetstream.consumers_info(bus.STREAM) if not info.config.durable_name]
    assert len(readers) == 1
    for stream in streams:
        stream.close()
    await until(lambda: not desk.feed._sites)  # nobody is left behind


async def test_what_is_no_longer_remembered_comes_from_the_stream(desk: Desk) -> None:
    """A replica that has just started serves a cursor of another one."""
    start = await desk.feed.ready()
    names = [(await desk.customer(f"c-{n}").open()).name for n in range(3)]
    await desk.settle()
    fresh = Feed(desk.nats_url, name="fresh")
    reading = asyncio.create_task(fresh.run())
    try:
        await fresh.ready()
        seen = []
        async with asyncio.timeout(10):
            async for item in fresh.watch(desk.site, start, heartbeat=0.2):
                if item.event is None:
                    break
                seen.append(item.event.aggregate)
        assert list(dict.fromkeys(seen)) == names
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_cursor_older_than_the_streams_memory_is_told_so(desk: Desk) -> None:
    await desk.customer("c-1").open()
    await desk.settle()
    async with bus.connected(desk.nats_url, "test") as link:
        await link.jetstream.purge_stream(bus.STREAM, keep=1)
    fresh = Feed(desk.nats_url, name="fresh")
    reading = asyncio.create_task(fresh.run())
    try:
        await fresh.ready()
        items = fresh.watch(desk.site, 1, heartbeat=0.2)
        first = await anext(items)
        await items.aclose()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert first.gap
    assert first.sequence == fresh.position - 1


async def test_silence_is_broken_by_heartbeats(desk: Desk) -> None:
    items = desk.feed.watch("quiet-site", None, heartbeat=0.01)
    assert [(await anext(items)).event for _ in range(3)] == [None, None, None]
    await items.aclose()


async def test_a_reader_that_falls_behind_gets_what_is_queued_and_is_then_dropped() -> None:
    subscription = Subscription()
    for number in range(feeds.BACKLOG + 5):
        subscription.put(Item(number))
    got = [await subscription.next(0.01) for _ in range(feeds.BACKLOG)]
    assert [item.sequence for item in got if item] == list(range(feeds.BACKLOG))
    with pytest.raises(ResourceExhausted) as dropped:
        await subscription.next(0.01)
    assert dropped.value.retry_after
