"""The RPC edge of bonus pools."""

from __future__ import annotations

from kefu.qa.v1 import bonus_service_pb2 as api
from kefu.qa.v1 import bonus_service_pb2_grpc as api_grpc

from services.kit.db import Transaction
from services.kit.instants import stamp
from services.policy.desk import Desk
from services.qa.commands.bonuses import Bonuses
from services.qa.servicer.names import BONUS_POOL, PERSON, SITE, Context
from services.qa.servicer.scorecards import period_of
from services.qa.store import bonuses as store
from services.qa.store.bonuses import Pool


class BonusServicer(api_grpc.BonusServiceServicer):
    """kefu.qa.v1.BonusService."""

    def __init__(self, desk: Desk, commands: Bonuses) -> None:
        self._desk = desk
        self._commands = commands

    async def CreateBonusPool(self, request: api.CreateBonusPoolRequest, context: Context) -> api.BonusPool:
        """Compute a month's pool."""
        (site,), period = SITE.parse(request.parent, "parent"), period_of(request.period)

        async def run(tx: Transaction, actor: str) -> api.BonusPool:
            return _pool_to(
                await self._commands.compute(
                    tx,
                    site,
                    period,
                    base_fen=request.base_fen,
                    attainment=request.attainment,
                    pay=dict(request.pay_fen),
                    actor=actor,
                )
            )

        return await self._desk.write(site, run, api.BonusPool)

    async def GetBonusPool(self, request: api.GetBonusPoolRequest, context: Context) -> api.BonusPool:
        """A month's pool."""
        site, period = BONUS_POOL.parse(request.name)
        async with self._desk.read(site) as tx:
            return _pool_to(await store.get(tx, site, period))

    async def ApproveBonusPool(self, request: api.ApproveBonusPoolRequest, context: Context) -> api.BonusPool:
        """Approve it."""
        site, period = BONUS_POOL.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.BonusPool:
            return _pool_to(await self._commands.approve(tx, site, period, actor=actor))

        return await self._desk.write(site, run, api.BonusPool)

    async def DistributeBonusPool(self, request: api.DistributeBonusPoolRequest, context: Context) -> api.BonusPool:
        """It was paid out."""
        site, period = BONUS_POOL.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.BonusPool:
            return _pool_to(await self._commands.distribute(tx, site, period, actor=actor))

        return await self._desk.write(site, run, api.BonusPool)

    async def GetAnnualAward(self, request: api.GetAnnualAwardRequest, context: Context) -> api.GetAnnualAwardResponse:
        """What the award of a year's best comes to."""
        site, person = PERSON.parse(request.parent, "parent")
        async with self._desk.read(site) as tx:
            amount = await self._commands.annual(tx, site, person, request.year)
        return api.GetAnnualAwardResponse(amount_fen=amount)


def _pool_to(pool: Pool) -> api.BonusPool:
    made = api.BonusPool(
        name=pool.name,
        state=api.BonusPool.State.Value(f"STATE_{pool.state}"),
        base_fen=pool.base_fen,
        attainment=pool.attainment,
        pool_fen=pool.pool_fen,
        retained_fen=pool.retained_fen,
        author=pool.author,
        approver=pool.approver,
        create_time=stamp(pool.computed_at),
    )
    for line in pool.lines:
        made.lines.add(
            person=line.person,
            appraisal=f"sites/{pool.site}/appraisals/{line.appraisal}",
            share=line.share,
            amount_fen=line.amount_fen,
            cut_fen=line.cut_fen,
            base_fen=line.base_fen,
            performance_fen=line.performance_fen,
        )
    return made
