"""The RPC edge of consent and of what happened with a customer."""

from __future__ import annotations

from datetime import UTC, datetime

from kefu.crm.v1 import customer_pb2 as pb
from kefu.crm.v1 import customer_service_pb2 as api

from services.crm import convert
from services.crm.domain.consent import Consent
from services.crm.servicer.desk import CUSTOMER, Context, Desk, number_of, size_of
from services.crm.store import consents, customers, timeline
from services.kit import pages
from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.instants import stamp

# Sorts after every entry, as `pages` gives positions.
_END = ["9999-12-31T00:00:00+00:00", "", ""]


class ConsentRpcs:
    """Part of kefu.crm.v1.CustomerService."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def SetConsent(self, request: api.SetConsentRequest, context: Context) -> pb.Consent:
        """Record a consent given or withdrawn."""
        site, customer = CUSTOMER.parse(request.name)
        given, purpose = request.consent, convert.purpose_from(request.consent.purpose)

        async def run(tx: Transaction, actor: str) -> pb.Consent:
            await customers.members(tx, site, customer)
            consent = Consent(purpose, given.channel, given.granted, given.source, actor, tx.now)
            await consents.put(tx, site, customer, consent)
            said = f"{purpose} {given.channel} {'given' if given.granted else 'withdrawn'}"
            tx.audit(Entry(site, actor, "consent.set", request.name, said))
            return convert.consent_to(consent)

        return await self._desk.write(site, run, pb.Consent)

    async def ListConsents(self, request: api.ListConsentsRequest, context: Context) -> api.ListConsentsResponse:
        """Every consent given and withdrawn."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        size = size_of(request)
        async with self._desk.read(site) as tx:
            _, files = await customers.members(tx, site, customer)
            found = await consents.page(tx, site, files, before=number_of(request), limit=size + 1)
        token = pages.encode(request, [found[size - 1][0]]) if len(found) > size else ""
        shown = [convert.consent_to(one) for _, one in found[:size]]
        return api.ListConsentsResponse(consents=shown, next_page_token=token)

    async def ListTimeline(self, request: api.ListTimelineRequest, context: Context) -> api.ListTimelineResponse:
        """What happened with the customer."""
        site, customer = CUSTOMER.parse(request.parent, "parent")
        size = size_of(request)
        at, kind, object_ = pages.decode(request) or _END
        before = (datetime.fromisoformat(at).astimezone(UTC), kind, object_)
        async with self._desk.read(site) as tx:
            _, files = await customers.members(tx, site, customer)
            found = await timeline.page(tx, site, files, before=before, limit=size + 1)
        shown = [
            pb.TimelineEntry(kind=row["kind"], time=stamp(row["at"]), object=row["object"], detail=row["detail"])
            for row in found[:size]
        ]
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last["at"], last["kind"], last["object"]]) if last else ""
        return api.ListTimelineResponse(entries=shown, next_page_token=token)
