"""Orders in any order, twice, and wrong; what they make of tiers and points."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.crm.v1 import customer_service_pb2 as customer_api
from kefu.crm.v1 import order_service_pb2 as api
from kefu.crm.v1 import points_service_pb2 as points_api
from kefu.crm.v1 import tier_service_pb2 as tier_api
from kefu.crm.v1.order_service_pb2_grpc import OrderServiceStub
from kefu.crm.v1.tier_service_pb2_grpc import TierServiceStub
from kefu.events.v1.event_pb2 import Event

from services.crm.commands.tiers import recompute
from services.kit.db import Database
from services.kit.errors import InvalidArgument
from tests.integration.crm.conftest import ELSEWHERE, SITE, Crm

SERVICES = ("crm",)
SALE, RETURN = api.OrderLine.KIND_SALE, api.OrderLine.KIND_RETURN
NOW = datetime.now(UTC)


def line(order: str, buyer: str, yuan: float, *, days: float = 10, **fields: Any) -> api.OrderLine:
    """A line of one piece."""
    at = Timestamp()
    at.FromDatetime(NOW - timedelta(days=days))
    given: dict[str, Any] = {"line": "1", "kind": SALE, "quantity": 1, "currency": "CNY"}
    return api.OrderLine(order=order, buyer=buyer, time=at, amount=round(yuan * 100), **(given | fields))


async def record(crm: Crm, *lines: api.OrderLine) -> api.RecordOrdersResponse:
    """Record lines of the source SHOP."""
    done: api.RecordOrdersResponse = await crm.orders().RecordOrders(
        api.RecordOrdersRequest(parent=crm.parent, source="SHOP", lines=lines)
    )
    return done


async def name_of(crm: Crm, buyer: str) -> str:
    """The customer behind a buyer of SHOP."""
    request = customer_api.LookUpCustomerRequest(parent=crm.parent, channel="SHOP", external_id=buyer)
    return str((await crm.customers().LookUpCustomer(request)).name)


async def standing(crm: Crm, buyer: str) -> tier_api.Standing:
    """A buyer's standing."""
    request = tier_api.GetStandingRequest(parent=await name_of(crm, buyer))
    found: tier_api.Standing = await crm.tiers().GetStanding(request)
    return found


async def points(crm: Crm, buyer: str) -> points_api.Points:
    """A buyer's balance."""
    request = points_api.GetPointsRequest(parent=await name_of(crm, buyer))
    found: points_api.Points = await crm.points().GetPoints(request)
    return found


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_lines_in_any_order_come_to_the_same(crm: Crm, database: Database, order: tuple[int, ...]) -> None:
    buyer = f"any-{''.join(map(str, order))}"
    lines = [
        line(f"{buyer}-a", buyer, 500, days=20),
        line(f"{buyer}-a", buyer, 100, days=25, line="2"),
        line(f"{buyer}-r", buyer, 150, days=5, kind=RETURN, refund_of=f"{buyer}-a"),
        line(f"{buyer}-b", buyer, 70, days=2),
    ]
    for at in order:
        await record(crm, lines[at])
    measures = (await standing(crm, buyer)).bars[0].measures
    assert (measures.spend_fen, measures.orders, measures.active_days, measures.recency_days) == (52_000, 2, 2, 2)
    balance = await points(crm, buyer)
    assert (balance.active, balance.pending, balance.owed) == (450, 70, 0)


async def test_a_line_is_stored_once_and_the_same_again_changes_nothing(crm: Crm) -> None:
    first = line("once", "once", 30)
    assert (await record(crm, first, first)).stored == 1
    again = await record(crm, first)
    assert (again.stored, again.repeated) == (0, 1)
    changed = await record(crm, line("once", "once", 31))
    assert [one.rule for one in changed.refused] == ["LINE_CHANGED"]
    assert (await standing(crm, "once")).bars[0].measures.spend_fen == 3_000


async def test_each_bad_line_has_a_rule_and_a_message_and_the_good_ones_are_stored(crm: Crm) -> None:
    done = await record(
        crm,
        line("bad1", "bad", -1),
        line("bad2", "bad", 1, currency="QQQ"),
        line("bad3", "bad", 1, days=-20_000),
        line("bad5", "bad", 1, quantity=0),
        line("", "bad", 1),
        line("good", "bad", 1, currency="GBP"),
    )
    assert [(one.index, one.rule) for one in done.refused] == [
        (0, "AMOUNT_NEGATIVE"),
        (1, "CURRENCY_UNKNOWN"),
        (2, "TIME_IN_FUTURE"),
        (3, "QUANTITY_NOT_POSITIVE"),
        (4, "ID_MISSING"),
    ]
    assert all(one.message for one in done.refused)
    assert done.stored == 1
    assert (await standing(crm, "bad")).bars[0].measures.spend_fen == 920
    with pytest.raises(InvalidArgument, match=r"lines\[0\].product_name"):
        await record(crm, line("bad6", "bad", 1, product_name="长" * 340_000))


async def test_a_sale_to_nobody_is_kept_and_counts_for_nobody(crm: Crm, database: Database) -> None:
    assert (await record(crm, line("anonymous", "", 99))).stored == 1
    row = await database.fetchrow("SELECT customer_id, sales_fen FROM orders WHERE order_id = 'anonymous'")
    assert row is not None
    assert tuple(row) == (None, 9_900)


@pytest.mark.clause("TAOBAO-4-2.1.1", "TAOBAO-4-2.1.2")
async def test_a_purchase_raises_the_tier_at_once_and_a_fall_is_warned_about_and_waits_for_grace(
    crm: Crm, database: Database
) -> None:
    lines = [line(f"rise-{day}", "rise", 300, days=day) for day in range(1, 9)]
    await record(crm, *lines[:7])
    assert (await standing(crm, "rise")).tier == "ORDINARY"
    await record(crm, lines[7])
    rose = await standing(crm, "rise")
    assert rose.tier == "CORE"
    assert "Core" in rose.explanation
    assert "2,400.00" in rose.explanation
    told = await tier_events(database)
    assert told[await name_of(crm, "rise")] == ["CORE"]

    back = [line(f"back-{one.order}", "rise", 100, days=0.1, kind=RETURN, refund_of=one.order) for one in lines[:3]]
    await record(crm, *back[:2])  # 2,200 of 2,000: still met
    await record(crm, back[2], line("back-4", "rise", 200, days=0.1, kind=RETURN))  # 1,900: within tolerance
    assert (await standing(crm, "rise")).tier == "CORE"
    await record(crm, line("back-5", "rise", 500, days=0.1, kind=RETURN))
    warned = await standing(crm, "rise")
    assert warned.tier == "CORE"
    assert (warned.grace_until.ToDatetime(UTC) - NOW).days in (29, 30)
    await database.execute("UPDATE standings SET grace_until = now() - interval '1 second'")
    profile = crm.parts.profiles.at(SITE, NOW)
    assert await recompute(database, crm.parts.tiers, profile) >= 1
    assert (await standing(crm, "rise")).tier == "ORDINARY"
    moves = await crm.tiers().ListTierMoves(tier_api.ListTierMovesRequest(parent=await name_of(crm, "rise")))
    assert [(one.cause, one.from_tier, one.to_tier) for one in moves.moves] == [
        ("LOWERED", "CORE", "ORDINARY"),
        ("WARNED", "CORE", "CORE"),
        ("RAISED", "ORDINARY", "CORE"),
    ]
    assert all(one.profile_version == profile.version for one in moves.moves)


async def test_a_merged_customers_purchases_count_where_they_went_until_they_are_taken_out(
    crm: Crm, database: Database
) -> None:
    for buyer in ("half-a", "half-b"):
        await record(crm, *(line(f"{buyer}-{day}", buyer, 300, days=day + (buyer == "half-b") * 4) for day in range(4)))
    assert (await standing(crm, "half-a")).tier == "ORDINARY"
    one, two = await name_of(crm, "half-a"), await name_of(crm, "half-b")
    await crm.customers().MergeCustomer(customer_api.MergeCustomerRequest(name=one, into=two))
    assert (await standing(crm, "half-a")).tier == "CORE"
    told = await tier_events(database)
    assert (told[one][-1], told[two][-1]) == ("CORE", "CORE")
    await crm.customers().UnmergeCustomer(customer_api.UnmergeCustomerRequest(name=one))
    told = await tier_events(database)
    assert told[one][-1] == "ORDINARY"
    request = api.ListOrdersRequest(parent=one)
    assert len((await crm.orders().ListOrders(request)).orders) == 4


@pytest.mark.clause("TAOBAO-1-2.1.4-2")
async def test_a_discount_beyond_the_tiers_limit_needs_a_supervisor(crm: Crm) -> None:
    await record(crm, *(line(f"quote-{day}", "quote", 300, days=day) for day in range(8)))
    name = await name_of(crm, "quote")
    for percent, needed in ((8, False), (8.5, True)):
        quote = await crm.tiers().QuoteDiscount(tier_api.QuoteDiscountRequest(parent=name, percent=percent))
        assert (quote.tier, quote.limit_percent, quote.approval_needed) == ("CORE", 8, needed)


@pytest.mark.clause("ONLINE-2.1.3-1")
async def test_a_high_value_customer_is_known_by_the_sites_own_rule(crm: Crm) -> None:
    parent, channel = f"sites/{ELSEWHERE}", crm.channel("boss", "admin", ELSEWHERE)
    orders: Any = OrderServiceStub(channel)
    tiers: Any = TierServiceStub(channel)
    for order, known in (("h1", False), ("h2", True)):
        lines = [line(order, "rich", 10_000)]
        await orders.RecordOrders(api.RecordOrdersRequest(parent=parent, source="SHOP", lines=lines))
        request = customer_api.LookUpCustomerRequest(parent=parent, channel="SHOP", external_id="rich")
        found = await crm.customers(site=ELSEWHERE).LookUpCustomer(request)
        standing = await tiers.GetStanding(tier_api.GetStandingRequest(parent=found.name))
        assert standing.high_value is known


async def test_the_map_counts_everybody_once(crm: Crm, database: Database) -> None:
    await record(crm, *(line(f"map-{day}", "map", 300, days=day) for day in range(8)))
    found = await crm.tiers().GetTierMap(tier_api.GetTierMapRequest(parent=crm.parent))
    assert [one.tier for one in found.sizes] == ["VIP", "CORE", "ORDINARY"]
    everybody = await database.fetchval("SELECT count(*) FROM customers WHERE state <> 'MERGED' AND site = $1", SITE)
    assert sum(one.customers for one in found.sizes) == everybody
    assert ("ORDINARY", "CORE", "RAISED") in {(one.from_tier, one.to_tier, one.cause) for one in found.moves}


async def tier_events(database: Database) -> dict[str, list[str]]:
    """What intake is told, by customer; versions rise."""
    found: dict[str, list[str]] = {}
    versions: dict[str, int] = {}
    for row in await database.fetch("SELECT payload FROM kefu_outbox ORDER BY position"):
        event = Event.FromString(row["payload"])
        if event.WhichOneof("fact") == "tier_changed":
            assert event.version > versions.get(event.aggregate, 0)
            versions[event.aggregate] = event.version
            found.setdefault(event.aggregate, []).append(event.tier_changed.tier)
    return found
