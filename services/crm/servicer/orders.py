"""The RPC edge of orders."""

from __future__ import annotations

from datetime import UTC, datetime

from kefu.crm.v1 import order_service_pb2 as api
from kefu.crm.v1 import order_service_pb2_grpc as api_grpc

from services.crm import convert
from services.crm.commands.orders import Orders
from services.crm.domain.orders import MESSAGES, Lines
from services.crm.metrics import CrmMetrics
from services.crm.servicer.desk import CUSTOMER, SITE, Context, Desk, size_of
from services.crm.store import customers, orders
from services.kit import pages
from services.kit.call import current
from services.kit.db import Transaction

# Sorts after every order, as `pages` gives positions.
_END = ["9999-12-31T00:00:00+00:00", "", ""]


class OrderServicer(api_grpc.OrderServiceServicer):
    """kefu.crm.v1.OrderService."""

    def __init__(self, desk: Desk, commands: Orders, metrics: CrmMetrics) -> None:
        self._desk = desk
        self._commands = commands
        self._metrics = metrics

    async def RecordOrders(self, request: api.RecordOrdersRequest, context: Context) -> api.RecordOrdersResponse:
        """Store order lines, each once."""
        (site,) = SITE.parse(request.parent, "parent")
        lines = Lines.of(convert.line_from(line) for line in request.lines)
        language = 1 if current().locale.startswith("en") else 0

        async def run(tx: Transaction, actor: str) -> api.RecordOrdersResponse:
            done = await self._commands.record(tx, site, request.source, lines, actor=actor)
            tx.after_commit(lambda: self._metrics.lines(site, done))
            return api.RecordOrdersResponse(
                stored=done.stored,
                repeated=done.repeated,
                refused=[
                    api.RefusedLine(index=at, rule=rule, message=MESSAGES[rule][language]) for at, rule in done.refused
                ],
            )

        return await self._desk.write(site, run, api.RecordOrdersResponse)

    async def ListOrders(self, request: api.ListOrdersRequest, context: Context) -> api.ListOrdersResponse:
        """A customer's orders, latest first."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        size = size_of(request)
        at, source, order = pages.decode(request) or _END
        before = (datetime.fromisoformat(at).astimezone(UTC), source, order)
        async with self._desk.read(site) as tx:
            _, files = await customers.members(tx, site, customer)
            found = await orders.page(tx, site, files, before=before, limit=size + 1)
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last["at"], last["source"], last["order_id"]]) if last else ""
        return api.ListOrdersResponse(orders=[convert.order_to(row) for row in found[:size]], next_page_token=token)
