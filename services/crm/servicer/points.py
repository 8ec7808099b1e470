"""The RPC edge of points, coupons and memberships."""

from __future__ import annotations

from datetime import UTC, datetime

from kefu.crm.v1 import points_service_pb2 as api
from kefu.crm.v1 import points_service_pb2_grpc as api_grpc

from services.crm import convert
from services.crm.commands.coupons import Coupons
from services.crm.commands.ledger import Ledger
from services.crm.domain.coupon import Coupon
from services.crm.errors import not_found
from services.crm.queries.points import balance
from services.crm.servicer.desk import COUPON, CUSTOMER, Context, Desk, number_of, size_of
from services.crm.store import coupons, customers
from services.crm.store import points as store
from services.kit import pages
from services.kit.db import Transaction
from services.kit.instants import stamp

# Sorts after every coupon, as `pages` gives positions.
_END = ["9999-12-31T00:00:00+00:00", ""]


class PointsServicer(api_grpc.PointsServiceServicer):
    """kefu.crm.v1.PointsService."""

    def __init__(self, desk: Desk, ledger: Ledger, coupons: Coupons) -> None:
        self._desk = desk
        self._ledger = ledger
        self._coupons = coupons

    async def GetPoints(self, request: api.GetPointsRequest, context: Context) -> api.Points:
        """A customer's balance."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        async with self._desk.read(site) as tx:
            return await _balance(tx, site, customer)

    async def ListPointEntries(
        self, request: api.ListPointEntriesRequest, context: Context
    ) -> api.ListPointEntriesResponse:
        """The statement."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        size = size_of(request)
        async with self._desk.read(site) as tx:
            _, files = await customers.members(tx, site, customer)
            found = await store.page(tx, site, files, before=number_of(request), limit=size + 1)
        token = pages.encode(request, [found[size - 1]["number"]]) if len(found) > size else ""
        return api.ListPointEntriesResponse(
            entries=[convert.entry_to(row) for row in found[:size]], next_page_token=token
        )

    async def GrantPoints(self, request: api.GrantPointsRequest, context: Context) -> api.Points:
        """Give points for a cause other than a purchase."""
        site, customer = CUSTOMER.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> api.Points:
            await self._ledger.grant(
                tx,
                site,
                customer,
                points=request.points,
                cause=request.cause,
                reference=request.reference,
                actor=actor,
            )
            return await _balance(tx, site, customer)

        return await self._desk.write(site, run, api.Points)

    async def RedeemPoints(self, request: api.RedeemPointsRequest, context: Context) -> api.Points:
        """Spend points."""
        site, customer = CUSTOMER.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> api.Points:
            await self._ledger.redeem(
                tx, site, customer, points=request.points, reference=request.reference, actor=actor
            )
            return await _balance(tx, site, customer)

        return await self._desk.write(site, run, api.Points)

    async def IssueCoupon(self, request: api.IssueCouponRequest, context: Context) -> api.Coupon:
        """Issue a coupon."""
        site, customer = CUSTOMER.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> api.Coupon:
            coupon = await self._coupons.issue(
                tx,
                site,
                customer,
                value_fen=request.value_fen,
                valid_days=request.valid_days,
                cause=request.cause,
                reference=request.reference,
                actor=actor,
            )
            return convert.coupon_to(coupon, tx.now)

        return await self._desk.write(site, run, api.Coupon)

    async def UseCoupon(self, request: api.UseCouponRequest, context: Context) -> api.Coupon:
        """Use a coupon for an order."""
        site, id_ = COUPON.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.Coupon:
            return convert.coupon_to(await self._coupons.use(tx, site, id_, request.order, actor=actor), tx.now)

        return await self._desk.write(site, run, api.Coupon)

    async def VoidCoupon(self, request: api.VoidCouponRequest, context: Context) -> api.Coupon:
        """Take an unused coupon back."""
        site, id_ = COUPON.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.Coupon:
            return convert.coupon_to(await self._coupons.void(tx, site, id_, actor=actor), tx.now)

        return await self._desk.write(site, run, api.Coupon)

    async def ListCoupons(self, request: api.ListCouponsRequest, context: Context) -> api.ListCouponsResponse:
        """A customer's coupons, latest first."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        size = size_of(request)
        at, id_ = pages.decode(request) or _END
        before = (datetime.fromisoformat(at).astimezone(UTC), id_)
        async with self._desk.read(site) as tx:
            _, files = await customers.members(tx, site, customer)
            found: list[tuple[datetime, Coupon]] = await coupons.page(tx, site, files, before=before, limit=size + 1)
            shown = [convert.coupon_to(coupon, tx.now) for _, coupon in found[:size]]
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last[0], last[1].id]) if last else ""
        return api.ListCouponsResponse(coupons=shown, next_page_token=token)

    async def SetMembership(self, request: api.SetMembershipRequest, context: Context) -> api.Membership:
        """Join the site's club, change the level, or end it."""
        site, customer = CUSTOMER.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> api.Membership:
            await self._coupons.set_membership(tx, site, customer, request.level, actor=actor)
            return await _membership(tx, site, customer)

        return await self._desk.write(site, run, api.Membership)

    async def GetMembership(self, request: api.GetMembershipRequest, context: Context) -> api.Membership:
        """The customer's membership."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        async with self._desk.read(site) as tx:
            return await _membership(tx, site, customer)


async def _balance(tx: Transaction, site: str, customer: str) -> api.Points:
    _, files = await customers.members(tx, site, customer)
    lots, owed = await balance(tx, site, files)
    return api.Points(
        active=sum(lot.active for lot in lots),
        pending=sum(lot.pending for lot in lots),
        owed=owed,
        lots=[convert.lot_to(lot) for lot in lots],
    )


async def _membership(tx: Transaction, site: str, customer: str) -> api.Membership:
    root, _ = await customers.members(tx, site, customer)
    found = await coupons.membership(tx, site, root)
    if found is None:
        raise not_found(f"sites/{site}/customers/{customer}/membership")
    return api.Membership(level=found[0], since=stamp(found[1]))
