"""The RPC edge of winning customers back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kefu.crm.v1 import win_back_service_pb2 as api
from kefu.crm.v1 import win_back_service_pb2_grpc as api_grpc

from services.crm import convert_relations as convert
from services.crm.commands.win_backs import WinBacks
from services.crm.domain.win_back import Offer, WinBack
from services.crm.servicer.days import period_of
from services.crm.servicer.desk import SITE, WIN_BACK, Context, Desk, size_of
from services.crm.store import win_backs
from services.crm.store.words import WordStore
from services.kit import pages
from services.kit.db import Transaction

COUPON_DAYS = 30


class WinBackServicer(api_grpc.WinBackServiceServicer):
    """kefu.crm.v1.WinBackService."""

    def __init__(self, desk: Desk, commands: WinBacks, words: WordStore) -> None:
        self._desk = desk
        self._commands = commands
        self._words = words

    async def ListWinBacks(self, request: api.ListWinBacksRequest, context: Context) -> api.ListWinBacksResponse:
        """Cases, oldest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size, after = size_of(request), str((pages.decode(request) or [""])[0])
        state = convert.state_from(api.WinBack.State.Name(request.state))
        async with self._desk.read(site) as tx:
            found = await win_backs.page(tx, site, state=state, after=after, limit=size + 1)
            words = await self._words.of(tx, site, [one.name for one in found[:size]])
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return api.ListWinBacksResponse(
            cases=[convert.win_back_to(one, words) for one in found[:size]], next_page_token=token
        )

    async def PlanWinBack(self, request: api.PlanWinBackRequest, context: Context) -> api.WinBack:
        """Say why the customer was lost and what they are offered."""
        site, id_ = WIN_BACK.parse(request.name)
        cause = convert.cause_from(request.cause)
        days = (request.coupon_days or COUPON_DAYS) if request.coupon_fen else 0
        offer = Offer(request.reward_points, request.coupon_fen, days)
        return await self._write(
            site, lambda tx, actor: self._commands.plan(tx, site, id_, cause=cause, offer=offer, actor=actor)
        )

    async def ContactWinBack(self, request: api.ContactWinBackRequest, context: Context) -> api.WinBack:
        """Note a personal contact."""
        site, id_ = WIN_BACK.parse(request.name)
        return await self._write(
            site, lambda tx, actor: self._commands.contact(tx, site, id_, note=request.note, actor=actor)
        )

    async def RespondWinBack(self, request: api.RespondWinBackRequest, context: Context) -> api.WinBack:
        """Note what the customer said."""
        site, id_ = WIN_BACK.parse(request.name)
        return await self._write(
            site, lambda tx, actor: self._commands.respond(tx, site, id_, note=request.note, actor=actor)
        )

    async def GetWinBackReport(self, request: api.GetWinBackReportRequest, context: Context) -> api.WinBackReport:
        """Why customers were lost, and what winning back is worth."""
        (site,) = SITE.parse(request.parent, "parent")
        async with self._desk.read(site) as tx:
            since, until = period_of(self._desk.profile(site), tx.now, request.first_day, request.last_day)
            states = await win_backs.states(tx, site, since, until)
            causes = await win_backs.causes(tx, site, since, until)
            arms = await win_backs.arms(tx, site, since, until)
        return convert.win_back_report_to(states, causes, arms)

    async def _write(self, site: str, command: Callable[[Transaction, str], Awaitable[WinBack]]) -> api.WinBack:
        async def run(tx: Transaction, actor: str) -> api.WinBack:
            return convert.win_back_to(await command(tx, actor))

        return await self._desk.write(site, run, api.WinBack)
