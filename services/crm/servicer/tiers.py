"""The RPC edge of tiers."""

from __future__ import annotations

from datetime import timedelta

from kefu.crm.v1 import tier_service_pb2 as api
from kefu.crm.v1 import tier_service_pb2_grpc as api_grpc

from services.crm import convert
from services.crm.domain.rules import discount_limit, tier_rules
from services.crm.explain import explanation
from services.crm.queries.tiers import case
from services.crm.servicer.desk import CUSTOMER, SITE, Context, Desk, number_of, size_of
from services.crm.store import customers, standings
from services.kit import pages
from services.kit.call import current
from services.kit.instants import stamp

MOVES_DAYS = 30


class TierServicer(api_grpc.TierServiceServicer):
    """kefu.crm.v1.TierService."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def GetStanding(self, request: api.GetStandingRequest, context: Context) -> api.Standing:
        """A customer's tier with the measures and bars behind it."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        profile = self._desk.profile(site)
        async with self._desk.read(site) as tx:
            found = await case(tx, profile, customer)
        bars = [
            convert.bar_to(bar, found.rules, found.measures[bar.window], found.cutoffs.get(bar.tier))
            for bar in found.rules.bars
        ]
        held = found.held
        return api.Standing(
            tier=found.tier,
            since=stamp(held.since) if held else None,
            grace_until=stamp(held.standing.grace_until) if held else None,
            bars=bars,
            explanation=explanation(found, profile, current().locale),
            high_value=found.high_value,
        )

    async def ListTierMoves(self, request: api.ListTierMovesRequest, context: Context) -> api.ListTierMovesResponse:
        """A customer's moves between tiers, latest first."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        size = size_of(request)
        async with self._desk.read(site) as tx:
            _, files = await customers.members(tx, site, customer)
            found = await standings.page(tx, site, files, before=number_of(request), limit=size + 1)
        token = pages.encode(request, [found[size - 1]["number"]]) if len(found) > size else ""
        return api.ListTierMovesResponse(moves=[convert.move_to(row) for row in found[:size]], next_page_token=token)

    async def GetTierMap(self, request: api.GetTierMapRequest, context: Context) -> api.TierMap:
        """Sizes of all tiers and the moves of the last days."""
        (site,) = SITE.parse(request.parent, "parent")
        rules = tier_rules(self._desk.profile(site))
        async with self._desk.read(site) as tx:
            sizes = await standings.sizes(tx, site, rules.default)
            moves = await standings.counts(tx, site, tx.now - timedelta(days=request.days or MOVES_DAYS))
        named = [bar.tier for bar in rules.bars] + [rules.default]
        order = [*named, *sorted(sizes.keys() - set(named))]
        return api.TierMap(
            sizes=[api.TierSize(tier=tier, customers=sizes.get(tier, 0)) for tier in order],
            moves=[api.MoveCount(**dict(row)) for row in moves],
        )

    async def QuoteDiscount(self, request: api.QuoteDiscountRequest, context: Context) -> api.DiscountQuote:
        """What may be offered to a customer of this tier."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        profile = self._desk.profile(site)
        async with self._desk.read(site) as tx:
            found = await case(tx, profile, customer)
        limit = discount_limit(profile, found.tier)
        return api.DiscountQuote(tier=found.tier, limit_percent=limit, approval_needed=request.percent > limit)

    async def GetPreferenceReport(
        self, request: api.GetPreferenceReportRequest, context: Context
    ) -> api.PreferenceReport:
        """What customers of each tier like."""
        (site,) = SITE.parse(request.parent, "parent")
        default = tier_rules(self._desk.profile(site)).default
        async with self._desk.read(site) as tx:
            found = await standings.preferences(tx, site, default)
        return api.PreferenceReport(counts=[api.PreferenceCount(**dict(row)) for row in found])
