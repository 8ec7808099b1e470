"""The RPC edge of customers' files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from kefu.crm.v1 import customer_pb2 as pb
from kefu.crm.v1 import customer_service_pb2 as api
from kefu.crm.v1 import customer_service_pb2_grpc as api_grpc

from services.crm import convert
from services.crm.commands.customers import Customers
from services.crm.commands.unmask import Unmasking
from services.crm.domain.customer import EDITABLE, Customer
from services.crm.errors import not_found
from services.crm.queries.customers import CustomerQueries
from services.crm.servicer.consents import ConsentRpcs
from services.crm.servicer.desk import CUSTOMER, SITE, Context, Desk, size_of
from services.crm.servicer.unmasking import UnmaskRpcs
from services.kit import masks, pages
from services.kit.db import Transaction


class CustomerServicer(ConsentRpcs, UnmaskRpcs, api_grpc.CustomerServiceServicer):
    """kefu.crm.v1.CustomerService; consent and unmasking are rooms of their own."""

    def __init__(self, desk: Desk, commands: Customers, queries: CustomerQueries, unmasking: Unmasking) -> None:
        ConsentRpcs.__init__(self, desk)
        UnmaskRpcs.__init__(self, desk, unmasking, queries)
        self._commands = commands

    async def CreateCustomer(self, request: api.CreateCustomerRequest, context: Context) -> pb.Customer:
        """Add a customer."""
        (site,) = SITE.parse(request.parent, "parent")
        file = convert.file_from(request.customer)
        identities = [convert.identity_from(one) for one in request.identities]
        return await self._write(
            site,
            lambda tx, actor: self._commands.create(tx, site, request.customer_id, file, identities, actor=actor),
        )

    async def GetCustomer(self, request: api.GetCustomerRequest, context: Context) -> pb.Customer:
        """One customer, masked."""
        site, customer_id = CUSTOMER.parse(request.name)
        return await self._one(site, customer_id)

    async def LookUpCustomer(self, request: api.LookUpCustomerRequest, context: Context) -> pb.Customer:
        """The customer behind an identity."""
        (site,) = SITE.parse(request.parent, "parent")
        async with self._desk.read(site) as tx:
            found = await self._queries.behind(tx, site, request.channel, request.external_id)
        if found is None:
            raise not_found(f"sites/{site}/customers/-")
        return await self._one(site, found)

    async def ListCustomers(self, request: api.ListCustomersRequest, context: Context) -> api.ListCustomersResponse:
        """The site's customers by id."""
        (site,) = SITE.parse(request.parent, "parent")
        profile, size = self._desk.profile(site), size_of(request)
        after = str((pages.decode(request) or [""])[0])
        async with self._desk.read(site) as tx:
            found = await self._queries.page(
                tx, profile, after=after, stale=request.stale, tier=request.tier, limit=size + 1
            )
            shown = await self._shown(tx, site, found[:size])
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return api.ListCustomersResponse(customers=shown, next_page_token=token)

    async def UpdateCustomer(self, request: api.UpdateCustomerRequest, context: Context) -> pb.Customer:
        """Change the masked fields."""
        site, id_ = CUSTOMER.parse(request.customer.name, "customer.name")
        paths = masks.paths(request.update_mask, request.customer, allowed=EDITABLE)
        file, etag = convert.file_from(request.customer), request.customer.etag
        return await self._write(
            site, lambda tx, actor: self._commands.update(tx, site, id_, file, paths, etag, actor=actor)
        )

    async def LinkIdentity(self, request: api.LinkIdentityRequest, context: Context) -> pb.Customer:
        """Add an identity."""
        site, id_ = CUSTOMER.parse(request.name)
        identity = convert.identity_from(request.identity)
        return await self._write(site, lambda tx, actor: self._commands.link(tx, site, id_, identity, actor=actor))

    async def MergeCustomer(self, request: api.MergeCustomerRequest, context: Context) -> pb.Customer:
        """Let a customer count for another one."""
        site, id_ = CUSTOMER.parse(request.name)
        other, into = CUSTOMER.parse(request.into, "into")
        if other != site:
            raise not_found(request.into)
        return await self._write(site, lambda tx, actor: self._commands.merge(tx, site, id_, into, actor=actor))

    async def UnmergeCustomer(self, request: api.UnmergeCustomerRequest, context: Context) -> pb.Customer:
        """Take a merged customer out again."""
        site, id_ = CUSTOMER.parse(request.name)
        return await self._write(site, lambda tx, actor: self._commands.unmerge(tx, site, id_, actor=actor))

    async def VerifyCustomer(self, request: api.VerifyCustomerRequest, context: Context) -> pb.Customer:
        """Note that the file was checked with the customer."""
        site, id_ = CUSTOMER.parse(request.name)
        return await self._write(site, lambda tx, actor: self._commands.verify(tx, site, id_, actor=actor))

    async def _write(self, site: str, handler: Callable[[Transaction, str], Awaitable[Customer]]) -> pb.Customer:
        async def run(tx: Transaction, actor: str) -> pb.Customer:
            return pb.Customer(name=(await handler(tx, actor)).name)

        written = await self._desk.write(site, run, pb.Customer)
        return await self._one(*CUSTOMER.parse(written.name))

    async def _one(self, site: str, customer_id: str) -> pb.Customer:
        async with self._desk.read(site) as tx:
            found = await self._shown(tx, site, [await self._queries.one(tx, site, customer_id)])
        return found[0]

    async def _shown(self, tx: Transaction, site: str, found: Sequence[Customer]) -> list[pb.Customer]:
        identities = await self._queries.identities(tx, found)
        tiers = await self._queries.tiers(tx, self._desk.profile(site), found)
        return [convert.customer_to(one, identities[one.id], tiers[one.id]) for one in found]
