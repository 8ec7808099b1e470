"""The RPC edge of data subjects' requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from kefu.crm.v1 import privacy_service_pb2 as api
from kefu.crm.v1 import privacy_service_pb2_grpc as api_grpc

from services.crm.commands.holders import Holders
from services.crm.commands.privacy import Privacy
from services.crm.domain.request import ERASURE, FULFILLING, DataRequest, Proof
from services.crm.errors import not_found
from services.crm.servicer.desk import CUSTOMER, REQUEST, SITE, Context, Desk, size_of
from services.crm.store import requests
from services.kit import pages
from services.kit.call import current
from services.kit.db import Transaction
from services.kit.instants import stamp
from services.kit.subjects import to_json

# Sorts after every request, as `pages` gives positions.
_END = ["9999-12-31T00:00:00+00:00", ""]


class PrivacyServicer(api_grpc.PrivacyServiceServicer):
    """kefu.crm.v1.PrivacyService."""

    def __init__(self, desk: Desk, commands: Privacy, holders: Holders) -> None:
        self._desk = desk
        self._holders = holders
        self._commands = commands

    async def CreateDataRequest(self, request: api.CreateDataRequestRequest, context: Context) -> api.DataRequest:
        """Open a request."""
        (site,) = SITE.parse(request.parent, "parent")
        other, customer = CUSTOMER.parse(request.customer, "customer")
        if other != site:
            raise not_found(request.customer)
        kind = api.DataRequest.Kind.Name(request.kind).removeprefix("KIND_")
        return await self._write(site, lambda tx, actor: self._commands.create(tx, site, customer, kind, actor=actor))

    async def GetDataRequest(self, request: api.GetDataRequestRequest, context: Context) -> api.DataRequest:
        """One request."""
        site, id_ = REQUEST.parse(request.name)
        async with self._desk.read(site) as tx:
            return (await self._shown(tx, site, [await requests.get(tx, site, id_)]))[0]

    async def ListDataRequests(
        self, request: api.ListDataRequestsRequest, context: Context
    ) -> api.ListDataRequestsResponse:
        """The site's requests, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        at, id_ = pages.decode(request) or _END
        before = (datetime.fromisoformat(at).astimezone(UTC), id_)
        async with self._desk.read(site) as tx:
            found = await requests.page(tx, site, before=before, limit=size + 1)
            shown = await self._shown(tx, site, found[:size])
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.opened_at, last.id]) if last else ""
        return api.ListDataRequestsResponse(data_requests=shown, next_page_token=token)

    async def VerifyDataRequest(self, request: api.VerifyDataRequestRequest, context: Context) -> api.DataRequest:
        """Note how identity was checked."""
        site, id_ = REQUEST.parse(request.name)
        return await self._write(
            site, lambda tx, actor: self._commands.verify(tx, site, id_, request.note, actor=actor)
        )

    async def FulfilDataRequest(self, request: api.FulfilDataRequestRequest, context: Context) -> api.DataRequest:
        """Fulfil a verified request."""
        site, id_ = REQUEST.parse(request.name)
        return await self._write(site, lambda tx, actor: self._commands.fulfil(tx, site, id_, actor=actor))

    async def RefuseDataRequest(self, request: api.RefuseDataRequestRequest, context: Context) -> api.DataRequest:
        """Refuse with a reason."""
        site, id_ = REQUEST.parse(request.name)
        return await self._write(
            site, lambda tx, actor: self._commands.refuse(tx, site, id_, request.reason, actor=actor)
        )

    async def FetchDataExport(self, request: api.FetchDataExportRequest, context: Context) -> api.DataExport:
        """Everything known, in the clear. It is read anew at each fetch and stored nowhere."""
        site, id_ = REQUEST.parse(request.name)
        listing = api.FetchDataExportRequest(name=request.name, page_token=request.page_token)
        after = pages.decode(listing)
        async with self._desk.unstored(site) as tx:
            own = await self._commands.fetch(tx, site, id_, actor=current().principal.subject)
        page = await self._holders.read(request.name, after)
        return api.DataExport(
            content=to_json(own | page.sections).encode() if after is None else b"",
            files=page.files,
            next_page_token=pages.encode(listing, list(page.more)) if page.more else "",
        )

    async def _write(self, site: str, handler: Callable[[Transaction, str], Awaitable[DataRequest]]) -> api.DataRequest:
        async def run(tx: Transaction, actor: str) -> api.DataRequest:
            return (await self._shown(tx, site, [await handler(tx, actor)]))[0]

        return await self._desk.write(site, run, api.DataRequest)

    async def _shown(self, tx: Transaction, site: str, found: Sequence[DataRequest]) -> list[api.DataRequest]:
        proofs = await requests.proofs(tx, site, [one.id for one in found])
        return [_request_to(one, proofs[one.id], self._commands.witnesses) for one in found]


def _request_to(request: DataRequest, proofs: Sequence[Proof], witnesses: frozenset[str]) -> api.DataRequest:
    waiting = witnesses - {proof.service for proof in proofs}
    return api.DataRequest(
        name=request.name,
        kind=api.DataRequest.Kind.Value(f"KIND_{request.kind}"),
        state=api.DataRequest.State.Value(f"STATE_{request.state}"),
        customer=f"sites/{request.site}/customers/{request.customer}",
        opened_at=stamp(request.opened_at),
        verifier=request.verifier,
        decider=request.decider,
        ended_at=stamp(request.ended_at),
        proofs=[api.ErasureProof(service=one.service, erased=one.erased, time=stamp(one.at)) for one in proofs],
        waiting_for=sorted(waiting) if (request.kind, request.state) == (ERASURE, FULFILLING) else [],
    )
