"""Points and coupons: earned, spent once, taken back, expired; nothing lost or made up."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress

import pytest
from kefu.crm.v1 import customer_pb2
from kefu.crm.v1 import customer_service_pb2 as customer_api
from kefu.crm.v1 import order_service_pb2 as order_api
from kefu.crm.v1 import points_service_pb2 as api

from services.kit.db import Database
from services.kit.errors import DeadlineExceeded, FailedPrecondition, NotFound, ResourceExhausted, Unavailable
from tests.integration.crm.conftest import Crm
from tests.integration.crm.test_orders import RETURN, line, name_of, points, record

SERVICES = ("crm",)


async def somebody(crm: Crm) -> str:
    request = customer_api.CreateCustomerRequest(parent=crm.parent, customer=customer_pb2.Customer(display_name="李雷"))
    return str((await crm.customers().CreateCustomer(request)).name)


async def grant(crm: Crm, name: str, number: int, *, reference: str = "case-1") -> api.Points:
    request = api.GrantPointsRequest(parent=name, points=number, cause="COMPENSATION", reference=reference)
    found: api.Points = await crm.points("lead", "supervisor").GrantPoints(request)
    return found


async def conserved(database: Database) -> None:
    """Lots add up, and the ledger says what the lots hold."""
    assert (
        await database.fetchval(
            "SELECT count(*) FROM point_lots WHERE issued <> pending + active + spent + expired + reversed"
        )
        == 0
    )
    differs = await database.fetchval(
        "SELECT count(*) FROM point_lots l LEFT JOIN (SELECT lot_id,"
        " sum(points) FILTER (WHERE from_account = 'ISSUED') AS issued,"
        " sum(points) FILTER (WHERE to_account = 'SPENT') AS spent,"
        " sum(points) FILTER (WHERE to_account = 'EXPIRED') AS expired,"
        " sum(points) FILTER (WHERE to_account = 'REVERSED') AS reversed FROM point_entries GROUP BY lot_id) e"
        " USING (lot_id) WHERE (l.issued, l.spent, l.expired, l.reversed)"
        " IS DISTINCT FROM (e.issued, coalesce(e.spent, 0), coalesce(e.expired, 0), coalesce(e.reversed, 0))"
    )
    assert differs == 0


@pytest.mark.clause("TAOBAO-4-3.2.2")
async def test_a_purchase_earns_pending_points_that_become_active_and_a_return_takes_them_back(
    crm: Crm, database: Database
) -> None:
    await record(crm, line("p1", "earner", 120, days=1), line("p2", "earner", 80, days=10))
    balance = await points(crm, "earner")
    assert (balance.active, balance.pending) == (80, 120)
    await record(crm, line("p1r", "earner", 50, days=0, kind=RETURN, refund_of="p1"))
    balance = await points(crm, "earner")
    assert (balance.active, balance.pending) == (80, 70)
    name = await name_of(crm, "earner")
    await crm.points().RedeemPoints(api.RedeemPointsRequest(parent=name, points=80, reference="gift-1"))
    await record(crm, line("p2r", "earner", 80, days=0, kind=RETURN, refund_of="p2"))
    assert (await points(crm, "earner")).owed == 80
    await record(crm, line("p3", "earner", 100, days=8))
    balance = await points(crm, "earner")
    assert (balance.active, balance.owed) == (20, 0)
    statement = await crm.points().ListPointEntries(api.ListPointEntriesRequest(parent=name))
    assert [one.to_account for one in statement.entries][:2] == ["REVERSED", "ACTIVE"]
    await conserved(database)


async def test_a_return_that_names_no_purchase_takes_from_what_there_is(crm: Crm, database: Database) -> None:
    await record(crm, line("u1", "unnamed", 100, days=9))
    await record(crm, line("C9", "unnamed", 30, days=1, kind=RETURN), line("C10", "unnamed", 500, days=1, kind=RETURN))
    balance = await points(crm, "unnamed")
    assert (balance.active, balance.owed) == (0, 0)
    await conserved(database)


async def test_a_grant_happens_once_for_its_cause_and_reference(crm: Crm, database: Database) -> None:
    name, other = await somebody(crm), await somebody(crm)
    done = await asyncio.gather(*(grant(crm, name, 50) for _ in range(10)))
    assert {one.active for one in done} == {50}
    assert (await grant(crm, other, 50)).active == 50
    await conserved(database)


async def test_one_winner_per_point_however_many_ask_at_once(crm: Crm, database: Database) -> None:
    name = await somebody(crm)
    await grant(crm, name, 100)
    done = await asyncio.gather(*(until_answered(crm, name, n) for n in range(200)), return_exceptions=True)
    won = [one for one in done if isinstance(one, api.Points)]
    lost = [one for one in done if isinstance(one, FailedPrecondition)]
    assert (len(won), len(lost)) == (100, 100)
    assert {one.reason_name for one in lost} == {"POINTS_SHORT"}
    assert (await crm.points().GetPoints(api.GetPointsRequest(parent=name))).active == 0
    await conserved(database)


async def until_answered(crm: Crm, name: str, number: int) -> api.Points:
    """One redemption; where the service had no time for it, the same again, as its request id allows."""
    request = api.RedeemPointsRequest(parent=name, points=1, reference=f"o{number}", request_id=str(uuid.uuid4()))
    while True:
        with suppress(DeadlineExceeded, ResourceExhausted, Unavailable):
            found: api.Points = await crm.points("ann", "agent").RedeemPoints(request)
            return found


async def test_what_expires_is_gone_at_once_and_written_down_by_the_sweep(crm: Crm, database: Database) -> None:
    name = await somebody(crm)
    await grant(crm, name, 40)
    await database.execute("UPDATE point_lots SET expires_at = now() WHERE customer_id = $1", name.rpartition("/")[2])
    assert (await crm.points().GetPoints(api.GetPointsRequest(parent=name))).active == 0
    with pytest.raises(FailedPrecondition, match="POINTS_SHORT"):
        await crm.points().RedeemPoints(api.RedeemPointsRequest(parent=name, points=1, reference="late"))
    async with database.transaction() as tx:
        assert await crm.parts.ledger.sweep(tx, limit=1_000) >= 1
    async with database.transaction() as tx:
        assert await crm.parts.ledger.sweep(tx, limit=1_000) == 0
    await conserved(database)


async def test_merged_customers_points_are_spent_together(crm: Crm, database: Database) -> None:
    one, two = await somebody(crm), await somebody(crm)
    await grant(crm, one, 30)
    await grant(crm, two, 30)
    await crm.customers().MergeCustomer(customer_api.MergeCustomerRequest(name=one, into=two))
    spent = await crm.points().RedeemPoints(api.RedeemPointsRequest(parent=two, points=45, reference="both"))
    assert spent.active == 15
    await conserved(database)


async def test_a_coupon_is_used_once_and_ends_by_itself(crm: Crm, database: Database) -> None:
    name = await somebody(crm)
    issue = api.IssueCouponRequest(parent=name, value_fen=500, valid_days=30, cause="WIN_BACK", reference="w1")
    first, second = [await crm.points("lead", "supervisor").IssueCoupon(issue) for _ in range(2)]
    assert first == second
    uses = [
        crm.points("ann", "agent").UseCoupon(api.UseCouponRequest(name=first.name, order=f"o{n}")) for n in range(5)
    ]
    done = await asyncio.gather(*uses, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Coupon", *["FailedPrecondition"] * 4]
    issue.reference = "w2"
    other = await crm.points().IssueCoupon(issue)
    await database.execute("UPDATE coupons SET expires_at = now() WHERE state = 'ISSUED'")
    with pytest.raises(FailedPrecondition, match="EXPIRED"):
        await crm.points().VoidCoupon(api.VoidCouponRequest(name=other.name))
    listed = await crm.points().ListCoupons(api.ListCouponsRequest(parent=name))
    assert [one.state for one in listed.coupons] == [api.Coupon.STATE_EXPIRED, api.Coupon.STATE_USED]


@pytest.mark.clause("TAOBAO-4-3.2.1")
async def test_a_membership_is_joined_changed_and_ended(crm: Crm) -> None:
    name = await somebody(crm)
    with pytest.raises(NotFound):
        await crm.points().GetMembership(api.GetMembershipRequest(parent=name))
    for level in ("GOLD", ""):
        await crm.points().SetMembership(api.SetMembershipRequest(parent=name, level=level))
        assert (await crm.points().GetMembership(api.GetMembershipRequest(parent=name))).level == level


@pytest.mark.clause("TAOBAO-4-2.2.1")
async def test_the_timeline_has_everything_in_one_order(crm: Crm) -> None:
    await record(crm, line("t1", "timed", 3000, days=9), line("t1r", "timed", 10, days=2, kind=RETURN, refund_of="t1"))
    name = await name_of(crm, "timed")
    consent = customer_pb2.Consent(purpose=customer_pb2.PURPOSE_CARE, channel="SMS", granted=True)
    await crm.customers().SetConsent(customer_api.SetConsentRequest(name=name, consent=consent))
    seen, token = [], ""
    while True:
        request = customer_api.ListTimelineRequest(parent=name, page_size=1, page_token=token)
        page = await crm.customers().ListTimeline(request)
        seen += [one.kind for one in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["CONSENT", "RETURN", "ORDER"]
    orders = await crm.orders().ListOrders(order_api.ListOrdersRequest(parent=name))
    assert [(one.sales_fen, one.returned_fen) for one in orders.orders] == [(300_000, 1_000)]
