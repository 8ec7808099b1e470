"""The RPC edge of appraisals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from kefu.qa.v1 import appraisal_service_pb2 as api
from kefu.qa.v1 import appraisal_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.call import current
from services.kit.db import Transaction
from services.kit.instants import instant, stamp
from services.policy.desk import Desk
from services.qa.commands.appraisals import Appraisals
from services.qa.domain.appraisal import PUBLIC, Appraisal, Plan
from services.qa.errors import not_found
from services.qa.servicer.names import APPRAISAL, SITE, Context, before_of, size_of, uuid_ids
from services.qa.servicer.scorecards import period_of
from services.qa.store import appraisals as store

MANAGE: Final = "appraisals.manage"


class AppraisalServicer(api_grpc.AppraisalServiceServicer):
    """kefu.qa.v1.AppraisalService."""

    def __init__(self, desk: Desk, commands: Appraisals) -> None:
        self._desk = desk
        self._commands = commands

    async def OpenAppraisals(self, request: api.OpenAppraisalsRequest, context: Context) -> api.OpenAppraisalsResponse:
        """Open the season."""
        (site,), period = SITE.parse(request.parent, "parent"), period_of(request.period)

        async def run(tx: Transaction, actor: str) -> api.OpenAppraisalsResponse:
            opened = await self._commands.open(tx, site, period, actor=actor)
            return api.OpenAppraisalsResponse(appraisals=[_appraisal_to(one) for one in opened])

        return await self._desk.write(site, run, api.OpenAppraisalsResponse)

    async def GetAppraisal(self, request: api.GetAppraisalRequest, context: Context) -> api.Appraisal:
        """One appraisal with its words."""
        site, id_ = uuid_ids(APPRAISAL, request.name)
        async with self._desk.read(site) as tx:
            found = await store.get(tx, site, id_)
        reader = _own_only(site)
        if reader and (reader != found.person or found.state not in PUBLIC):
            raise not_found(request.name)
        made = _appraisal_to(found)
        made.comment, made.appeal, made.decision = found.comment, found.appeal, found.decision
        return made

    async def ListAppraisals(self, request: api.ListAppraisalsRequest, context: Context) -> api.ListAppraisalsResponse:
        """Appraisals, latest first."""
        (site,), size = SITE.parse(request.parent, "parent"), size_of(request)
        state = api.Appraisal.State.Name(request.state).removeprefix("STATE_") if request.state else ""
        async with self._desk.read(site) as tx:
            found = await store.page(
                tx,
                site,
                before=before_of(request),
                period=request.period,
                state=state,
                reader=_own_only(site),
                limit=size + 1,
            )
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.opened_at, last.id]) if last else ""
        return api.ListAppraisalsResponse(
            appraisals=[_appraisal_to(one) for one in found[:size]], next_page_token=token
        )

    async def RateAppraisal(self, request: api.RateAppraisalRequest, context: Context) -> api.Appraisal:
        """The supervisor's marks."""
        marks = dict(request.marks)
        return await self._step(
            request.name,
            lambda tx, site, id_, actor: self._commands.rate(tx, site, id_, marks, request.comment, actor=actor),
        )

    async def RatePeer(self, request: api.RatePeerRequest, context: Context) -> api.RatePeerResponse:
        """A colleague's mark."""
        await self._step(
            request.name,
            lambda tx, site, id_, actor: self._commands.rate_peer(tx, site, id_, request.mark, actor=actor),
        )
        return api.RatePeerResponse()

    async def FinaliseAppraisal(self, request: api.FinaliseAppraisalRequest, context: Context) -> api.Appraisal:
        """Bring the parts together."""
        return await self._step(
            request.name, lambda tx, site, id_, actor: self._commands.finalise(tx, site, id_, actor=actor)
        )

    async def PublishAppraisal(self, request: api.PublishAppraisalRequest, context: Context) -> api.Appraisal:
        """Show it."""
        return await self._step(
            request.name, lambda tx, site, id_, actor: self._commands.publish(tx, site, id_, actor=actor)
        )

    async def AcknowledgeAppraisal(self, request: api.AcknowledgeAppraisalRequest, context: Context) -> api.Appraisal:
        """It was read."""
        return await self._step(
            request.name, lambda tx, site, id_, actor: self._commands.acknowledge(tx, site, id_, actor=actor)
        )

    async def AppealAppraisal(self, request: api.AppealAppraisalRequest, context: Context) -> api.Appraisal:
        """It is not agreed to."""
        return await self._step(
            request.name,
            lambda tx, site, id_, actor: self._commands.appeal(tx, site, id_, request.reason, actor=actor),
        )

    async def DecideAppeal(self, request: api.DecideAppealRequest, context: Context) -> api.Appraisal:
        """Decide on the appeal."""
        return await self._step(
            request.name,
            lambda tx, site, id_, actor: self._commands.decide(
                tx, site, id_, request.decision, granted=request.granted, actor=actor
            ),
        )

    async def CloseAppraisal(self, request: api.CloseAppraisalRequest, context: Context) -> api.Appraisal:
        """Close it with its plans."""
        plans = [Plan(one.miss, one.action, one.owner, instant(one.due_time)) for one in request.plans]
        return await self._step(
            request.name,
            lambda tx, site, id_, actor: self._commands.close(
                tx, site, id_, plans, outcome=request.outcome, minutes=request.minutes, actor=actor
            ),
        )

    async def _step(
        self, name: str, run: Callable[[Transaction, str, str, str], Awaitable[Appraisal]]
    ) -> api.Appraisal:
        site, id_ = uuid_ids(APPRAISAL, name)

        async def handler(tx: Transaction, actor: str) -> api.Appraisal:
            return _appraisal_to(await run(tx, site, id_, actor))

        return await self._desk.write(site, handler, api.Appraisal)


def _own_only(site: str) -> str:
    caller = current().principal
    return "" if caller.may(MANAGE, site) else caller.subject


def _appraisal_to(one: Appraisal) -> api.Appraisal:
    return api.Appraisal(
        name=one.name,
        period=one.period,
        person=one.person,
        state=api.Appraisal.State.Value(f"STATE_{one.state}"),
        supervisor=one.supervisor,
        marks=one.marks,
        parts=one.parts,
        score=one.score,
        grade=one.grade,
        misses=one.misses,
        create_time=stamp(one.opened_at),
        publish_time=stamp(one.published_at),
        close_time=stamp(one.closed_at),
        etag=str(one.revision),
    )
