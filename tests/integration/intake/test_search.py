"""Full-text search: Chinese is found by its words, and erased words are not found."""

from __future__ import annotations

import asyncio

import pytest
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.intake.queries import search
from services.intake.queries.words import query_of, words_of
from services.kit.errors import InvalidArgument
from tests.integration.intake.desk import Client, Desk


async def found(client: Client, query: str) -> list[str]:
    """What a search gives once everything that was said is indexed."""
    await client.desk.settle()
    async with asyncio.timeout(10):  # the worker's indexer may be at it: what is noted goes when it commits
        while await client.desk.app.database.fetchval("SELECT count(*) FROM search_queue"):
            await search.Indexer(client.desk.app.database).settle()
    request = api.ListConversationsRequest(parent=client.desk.parent, query=query)
    return [one.name for one in (await client.stub.ListConversations(request)).conversations]


async def test_finds_words_inside_chinese_sentences_in_messages_subject_and_summary(desk: Desk) -> None:
    ann, boss = await desk.staff("ann"), desk.person("boss", "supervisor")
    coat = await desk.customer("c-1").open("您好，我昨天下单的羽绒服什么时候发货？", subject="关于优惠券的问题")
    shoes = await desk.customer("c-2").open("请问这双跑鞋可以七天无理由退货吗")
    await desk.settle()
    await ann.serve(coat.name)
    await ann.say(coat.name, "已经为您催促仓库了")
    await ann.close(coat.name, summary="客户同意补寄赠品")
    assert await found(boss, "羽绒服") == [coat.name]
    assert await found(boss, "羽绒") == [coat.name]
    assert await found(boss, "退货") == [shoes.name]
    assert await found(boss, "优惠券") == [coat.name]
    assert await found(boss, "赠品") == [coat.name]
    assert await found(boss, "仓库") == [coat.name]
    assert await found(boss, "羽绒服 仓库") == [coat.name]  # all words, wherever they were said
    assert await found(boss, "羽绒服 退货") == []


async def test_finds_english_codes_and_full_width_forms_in_mixed_text(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    opened = await desk.customer("c-1").open("订单 ABC-123 的 Invoice 还没有收到，ＶＩＰ客户")
    for query in ("abc-123", "ABC-123", "invoice", "vip", "订单 invoice"):
        assert await found(boss, query) == [opened.name], query
    assert await found(boss, "ABC-124") == []


@pytest.mark.parametrize("query", ["'", "\\", "' | 'x", "& !", "…", "a' & 'b", ":*", "( )"])
async def test_signs_are_no_syntax(desk: Desk, query: str) -> None:
    boss = desk.person("boss", "supervisor")
    await desk.customer("c-1").open("您好")
    assert await found(boss, query) == []


async def test_erasure_clears_what_was_searchable_and_other_sites_find_nothing(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    opened = await desk.customer("c-1").open("羽绒服")
    assert await found(boss, "羽绒服") == [opened.name]
    mall = desk.at("mall-centre")
    assert await found(mall.person("boss", "supervisor", sites=["mall-centre"]), "羽绒服") == []
    async with desk.app.database.transaction() as tx:
        await search.clear(tx, desk.site, [opened.name.rpartition("/")[2]])
    assert await found(boss, "羽绒服") == []


async def test_what_waits_to_be_indexed_is_forgotten_with_the_rest(desk: Desk) -> None:
    boss, customer = desk.person("boss", "supervisor"), desk.customer("c-1")
    opened = await customer.open("羽绒服")
    assert await found(boss, "羽绒服") == [opened.name]
    async with desk.app.database.transaction() as tx:
        await tx.execute("LOCK search_queue IN EXCLUSIVE MODE")  # the worker's indexer waits
        id_ = opened.name.rpartition("/")[2]
        await tx.execute("INSERT INTO search_queue VALUES ($1, $2, '')", desk.site, id_)
        assert await search.clear(tx, desk.site, [id_]) == 1
    assert await found(boss, "羽绒服") == []


async def test_each_message_adds_its_words_and_nothing_is_read_twice(desk: Desk) -> None:
    boss, customer = desk.person("boss", "supervisor"), desk.customer("c-1")
    opened = await customer.open("羽绒服", subject="优惠券")
    assert await found(boss, "羽绒服 优惠券") == [opened.name]
    # what is indexed is not looked at again: a word that is gone from its row meanwhile stays found until it is cleared
    await desk.app.database.execute("UPDATE messages SET text = '' WHERE conversation = $1", opened.name.split("/")[-1])
    await customer.say(opened.name, "什么时候发货")
    assert await found(boss, "羽绒服 优惠券 发货") == [opened.name]


async def test_notes_are_found_by_colleagues_and_names_by_nobody(desk: Desk) -> None:
    ann = await desk.staff("ann")
    opened = await desk.customer("c-1", name="欧阳娜娜").open("您好")
    await desk.settle()
    await ann.serve(opened.name)
    await ann.say(opened.name, "此人很着急", kind=pb.Message.KIND_NOTE)
    assert await found(ann, "着急") == [opened.name]
    assert await found(ann, "欧阳娜娜") == []
    with pytest.raises(InvalidArgument):
        await found(desk.customer("c-1"), "着急")


def test_the_same_words_are_found_at_index_and_at_query_time() -> None:
    text = "我想退掉昨天买的iPhone手机壳"
    assert {"退掉", "昨天", "iphone", "手机"} <= set(words_of(text))
    assert query_of("手机壳") is not None
    assert query_of("，。！") is None
    assert "" not in words_of("a  \n b", "\t", "")
    assert all(len(word) <= 60 for word in words_of("x" * 4000))
