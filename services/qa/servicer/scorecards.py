"""The RPC edge of metrics and scorecards."""

from __future__ import annotations

from datetime import datetime

from kefu.qa.v1 import scorecard_service_pb2 as api
from kefu.qa.v1 import scorecard_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.call import current
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.kit.instants import stamp
from services.policy.desk import Desk
from services.qa.commands.scorecards import Scorecards, Stated
from services.qa.domain import metrics
from services.qa.domain.period import Period, parse
from services.qa.errors import not_found
from services.qa.queries import dryrun
from services.qa.servicer.names import PERSON, REGISTRY, SCORECARD, SITE, Context, size_of
from services.qa.store import facts, scorecards
from services.qa.store.scorecards import Scorecard

MANAGE = "scorecards.manage"


class ScorecardServicer(api_grpc.ScorecardServiceServicer):
    """kefu.qa.v1.ScorecardService."""

    def __init__(self, desk: Desk, commands: Scorecards) -> None:
        self._desk = desk
        self._commands = commands

    async def GetMetricRegistry(self, request: api.GetMetricRegistryRequest, context: Context) -> api.MetricRegistry:
        """The registry."""
        (site,) = REGISTRY.parse(request.name)
        self._desk.profile(site)
        return api.MetricRegistry(metrics=[_metric_to(one) for _, one in sorted(metrics.METRICS.items())])

    async def StateMetrics(self, request: api.StateMetricsRequest, context: Context) -> api.StateMetricsResponse:
        """Values that no event gave."""
        values = [Stated(one.person, one.metric, one.value) for one in request.values]
        source = api.StateMetricsRequest.Source.Name(request.source).removeprefix("SOURCE_")
        (site,), period = SITE.parse(request.parent, "parent"), period_of(request.period)

        async def run(tx: Transaction, actor: str) -> api.StateMetricsResponse:
            await self._commands.state(tx, site, period, values, source=source, origin=request.origin, actor=actor)
            return api.StateMetricsResponse(values=len(values))

        return await self._desk.write(site, run, api.StateMetricsResponse)

    async def ComputeScorecards(
        self, request: api.ComputeScorecardsRequest, context: Context
    ) -> api.ComputeScorecardsResponse:
        """Compute a period."""
        (site,), period = SITE.parse(request.parent, "parent"), period_of(request.period)

        async def run(tx: Transaction, actor: str) -> api.ComputeScorecardsResponse:
            done = await self._commands.compute(tx, site, period, actor=actor)
            return api.ComputeScorecardsResponse(scorecards=done)

        return await self._desk.write(site, run, api.ComputeScorecardsResponse)

    async def FreezeScorecards(
        self, request: api.FreezeScorecardsRequest, context: Context
    ) -> api.FreezeScorecardsResponse:
        """Freeze a period."""
        (site,), period = SITE.parse(request.parent, "parent"), period_of(request.period)

        async def run(tx: Transaction, actor: str) -> api.FreezeScorecardsResponse:
            done = await self._commands.freeze(tx, site, period, actor=actor)
            return api.FreezeScorecardsResponse(scorecards=done)

        return await self._desk.write(site, run, api.FreezeScorecardsResponse)

    async def GetScorecard(self, request: api.GetScorecardRequest, context: Context) -> api.Scorecard:
        """One scorecard."""
        site, person, period = SCORECARD.parse(request.name)
        if own_only(site) not in ("", person):
            raise not_found(request.name)
        async with self._desk.read(site) as tx:
            return _scorecard_to(await scorecards.get(tx, site, period, person))

    async def ListScorecards(self, request: api.ListScorecardsRequest, context: Context) -> api.ListScorecardsResponse:
        """Scorecards by person."""
        (site,), size = SITE.parse(request.parent, "parent"), size_of(request)
        after = str((pages.decode(request) or [""])[0])
        async with self._desk.read(site) as tx:
            found = await scorecards.page(tx, site, request.period, after=after, person=own_only(site), limit=size + 1)
        token = pages.encode(request, [found[size - 1].person]) if len(found) > size else ""
        return api.ListScorecardsResponse(scorecards=map(_scorecard_to, found[:size]), next_page_token=token)

    async def DryRunScorecards(
        self, request: api.DryRunScorecardsRequest, context: Context
    ) -> api.DryRunScorecardsResponse:
        """What another version would have made of it."""
        (site,), period = SITE.parse(request.parent, "parent"), period_of(request.period)
        before, after = self._desk.profile(site), dryrun.other_version(site, request.profile)
        async with self._desk.read(site) as tx:
            found = await dryrun.dry_run(tx, before, after, period, pool_fen=request.pool_fen)
        made = api.DryRunScorecardsResponse()
        for person, (one, other) in found.items():
            made.lines.add(person=person, before=_outcome_to(one), after=_outcome_to(other))
        return made

    async def ListObservations(
        self, request: api.ListObservationsRequest, context: Context
    ) -> api.ListObservationsResponse:
        """The evidence of a computed value."""
        (site, person), size = PERSON.parse(request.parent, "parent"), size_of(request)
        if own_only(site) not in ("", person):
            raise not_found(request.parent)
        metric, period = metrics.METRICS.get(request.metric), period_of(request.period)
        if metric is None:
            raise InvalidArgument.field("metric", "is no metric of the registry", "metric.known")
        at, event, fact = pages.decode(request) or ["0001-01-01T00:00:00+00:00", "", ""]
        async with self._desk.read(site) as tx:
            rows = await facts.evidence(
                tx,
                site,
                person,
                period.first,
                period.end,
                of=metrics.facts_of(metric),
                after=(datetime.fromisoformat(at), event, fact),
                limit=size + 1,
            )
        last = rows[size - 1] if len(rows) > size else None
        token = pages.encode(request, [last["at"], last["event_id"], last["fact"]]) if last else ""
        made = api.ListObservationsResponse(next_page_token=token)
        for row in rows[:size]:
            made.observations.add(
                day=row["day"].isoformat(),
                fact=row["fact"],
                value=row["value"],
                time=stamp(row["at"]),
                object=row["object"],
                event=row["event_id"],
            )
        return made


def own_only(site: str) -> str:
    """Whose figures alone the caller may read; empty: everybody's."""
    caller = current().principal
    return "" if caller.may(MANAGE, site) else caller.subject


def period_of(text: str) -> Period:
    """A month or quarter; raises InvalidArgument."""
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidArgument.field("period", "must be a month (2026-11) or a quarter (2026-Q4)", "period") from error


def _outcome_to(one: dryrun.Outcome) -> api.DryRunResult:
    return api.DryRunResult(score=one.result.score, grade=one.result.grade, bonus_fen=one.bonus_fen)


def _metric_to(metric: metrics.Metric) -> api.Metric:
    return api.Metric(
        id=metric.id,
        unit=metric.unit,
        lower_is_better=metric.lower,
        source=metric.source,
        computed=metric.formula is not None,
        query=metrics.sql(metric),
    )


def _scorecard_to(card: Scorecard) -> api.Scorecard:
    return api.Scorecard(
        name=f"sites/{card.site}/people/{card.person}/scorecards/{card.period}",
        state=api.Scorecard.State.Value(f"STATE_{card.state}"),
        score=card.score,
        grade=card.grade,
        coefficient=card.coefficient,
        lines=[api.ScorecardLine(**{k: v for k, v in line.items() if k != "lower"}) for line in card.lines],
        unmeasured=card.unmeasured,
        imported=card.imported,
        profile_version=card.profile_version,
        compute_time=stamp(card.computed_at),
    )
