"""The RPC edge of unmasking."""

from __future__ import annotations

from kefu.crm.v1 import customer_pb2 as pb
from kefu.crm.v1 import customer_service_pb2 as api

from services.crm import convert
from services.crm.commands.unmask import Unmasking
from services.crm.queries.customers import CustomerQueries
from services.crm.servicer.desk import CUSTOMER, GRANT, SITE, Context, Desk, size_of
from services.crm.store import grants
from services.kit import pages
from services.kit.call import current
from services.kit.db import Transaction


class UnmaskRpcs:
    """Part of kefu.crm.v1.CustomerService."""

    def __init__(self, desk: Desk, commands: Unmasking, queries: CustomerQueries) -> None:
        self._desk = desk
        self._unmasking = commands
        self._queries = queries

    async def RequestUnmask(self, request: api.RequestUnmaskRequest, context: Context) -> pb.UnmaskGrant:
        """Ask for leave to see the clear data."""
        site, customer = CUSTOMER.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> pb.UnmaskGrant:
            return convert.grant_to(await self._unmasking.request(tx, site, customer, request.reason, actor=actor))

        return await self._desk.write(site, run, pb.UnmaskGrant)

    async def ListUnmaskGrants(
        self, request: api.ListUnmaskGrantsRequest, context: Context
    ) -> api.ListUnmaskGrantsResponse:
        """Requests that wait for a second person."""
        (site,) = SITE.parse(request.parent, "parent")
        size, after = size_of(request), str((pages.decode(request) or [""])[0])
        async with self._desk.read(site) as tx:
            found = await grants.pending(tx, site, after=after, limit=size + 1)
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        shown = [convert.grant_to(one, reason=one.reason) for one in found[:size]]
        return api.ListUnmaskGrantsResponse(grants=shown, next_page_token=token)

    async def DecideUnmask(self, request: api.DecideUnmaskRequest, context: Context) -> pb.UnmaskGrant:
        """Grant or refuse."""
        site, customer, grant = GRANT.parse(request.name)

        async def run(tx: Transaction, actor: str) -> pb.UnmaskGrant:
            granted = request.granted
            return convert.grant_to(
                await self._unmasking.decide(tx, site, customer, grant, granted=granted, actor=actor)
            )

        return await self._desk.write(site, run, pb.UnmaskGrant)

    async def UnmaskCustomer(self, request: api.UnmaskCustomerRequest, context: Context) -> pb.Customer:
        """The clear data. The look is what is stored, never what was seen."""
        site, customer_id, grant = GRANT.parse(request.name)

        async def run(tx: Transaction, actor: str) -> pb.Customer:
            await self._unmasking.look(tx, site, customer_id, grant, actor=actor)
            return pb.Customer()

        await self._desk.write(site, run, pb.Customer)
        async with self._desk.read(site) as tx:
            # a repeated request is answered without its command: leave may have ended since
            await self._unmasking.holding(tx, site, customer_id, grant, actor=current().principal.subject)
            customer = await self._queries.one(tx, site, customer_id)
            identities = await self._queries.identities(tx, [customer])
            tiers = await self._queries.tiers(tx, self._desk.profile(site), [customer])
        return convert.customer_to(customer, identities[customer.id], tiers[customer.id], clear=True)
