"""The RPC edge of campaigns."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC

from kefu.crm.v1 import campaign_service_pb2 as api
from kefu.crm.v1 import campaign_service_pb2_grpc as api_grpc

from services.crm import convert_campaigns as convert
from services.crm.commands import campaigns as life
from services.crm.commands.sending import Sending
from services.crm.domain.campaign import Campaign
from services.crm.domain.holdout import SEED_BYTES
from services.crm.queries import campaigns as queries
from services.crm.servicer.desk import CAMPAIGN, SITE, Context, Desk, size_of
from services.crm.store import campaigns
from services.kit import pages
from services.kit.db import Transaction


class CampaignServicer(api_grpc.CampaignServiceServicer):
    """kefu.crm.v1.CampaignService."""

    def __init__(self, desk: Desk, sending: Sending, new_id: Callable[[], str]) -> None:
        self._desk = desk
        self._sending = sending
        self._new_id = new_id

    async def CreateCampaign(self, request: api.CreateCampaignRequest, context: Context) -> api.Campaign:
        """Draft a campaign."""
        (site,) = SITE.parse(request.parent, "parent")
        draft = convert.draft_from(request.campaign)
        return await self._write(
            site,
            lambda tx, actor: life.create(
                tx, site=site, id_=self._new_id(), draft=draft, seed=secrets.token_bytes(SEED_BYTES), actor=actor
            ),
        )

    async def GetCampaign(self, request: api.GetCampaignRequest, context: Context) -> api.Campaign:
        """One campaign."""
        site, id_ = CAMPAIGN.parse(request.name)
        async with self._desk.read(site) as tx:
            return convert.campaign_to(await campaigns.get(tx, site, id_))

    async def ListCampaigns(self, request: api.ListCampaignsRequest, context: Context) -> api.ListCampaignsResponse:
        """The site's campaigns, newest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size, before = size_of(request), str((pages.decode(request) or [""])[0])
        async with self._desk.read(site) as tx:
            found = await campaigns.page(tx, site, before=before, limit=size + 1)
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return api.ListCampaignsResponse(
            campaigns=[convert.campaign_to(one) for one in found[:size]], next_page_token=token
        )

    async def PreviewCampaign(self, request: api.PreviewCampaignRequest, context: Context) -> api.CampaignPreview:
        """Who would get what."""
        site, id_ = CAMPAIGN.parse(request.name)
        async with self._desk.read(site) as tx:
            found = await queries.preview(tx, self._sending, await campaigns.get(tx, site, id_))
        return convert.preview_to(site, found)

    async def ApproveCampaign(self, request: api.ApproveCampaignRequest, context: Context) -> api.Campaign:
        """Approve a colleague's draft."""
        site, id_ = CAMPAIGN.parse(request.name)
        return await self._write(site, lambda tx, actor: life.approve(tx, site=site, id_=id_, actor=actor))

    async def ScheduleCampaign(self, request: api.ScheduleCampaignRequest, context: Context) -> api.Campaign:
        """Let it begin."""
        site, id_ = CAMPAIGN.parse(request.name)
        start_at = request.start_time.ToDatetime(UTC) if request.HasField("start_time") else None
        return await self._write(
            site,
            lambda tx, actor: life.schedule(tx, site=site, id_=id_, start_at=start_at or tx.now, actor=actor),
        )

    async def CancelCampaign(self, request: api.CancelCampaignRequest, context: Context) -> api.Campaign:
        """End it before its time."""
        site, id_ = CAMPAIGN.parse(request.name)
        return await self._write(
            site, lambda tx, actor: life.cancel(tx, site=site, id_=id_, reason=request.reason, actor=actor)
        )

    async def GetCampaignResult(self, request: api.GetCampaignResultRequest, context: Context) -> api.CampaignResult:
        """What it did."""
        site, id_ = CAMPAIGN.parse(request.name)
        async with self._desk.read(site) as tx:
            return convert.result_to(await queries.result(tx, await campaigns.get(tx, site, id_)))

    async def _write(self, site: str, command: Callable[[Transaction, str], Awaitable[Campaign]]) -> api.Campaign:
        async def run(tx: Transaction, actor: str) -> api.Campaign:
            return convert.campaign_to(await command(tx, actor))

        return await self._desk.write(site, run, api.Campaign)
