"""kefu.intake.v1.SiteService: wallboard and reports; the stream is in `watch`."""

from __future__ import annotations

from typing import Any

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import site_service_pb2 as api

from services.intake.commands.rules import RulesOf
from services.intake.convert import Converter
from services.intake.events import timestamp
from services.intake.queries import reports, sheets, wallboard
from services.intake.queries.reports import Line, Report
from services.intake.queries.wallboard import Breach, Level, PersonFigures, QueueFigures
from services.intake.servicer.names import SITE, instant
from services.kit.call import current
from services.kit.db import Database

NAMES = "people.names"

Context = Any


class SiteRpcs:
    """The part of kefu.intake.v1.SiteService that answers at once."""

    def __init__(self, database: Database, rules: RulesOf, converter: Converter) -> None:
        self._database = database
        self._rules = rules
        self._converter = converter

    async def GetWallboard(self, request: api.GetWallboardRequest, context: Context) -> api.Wallboard:
        """The wallboard's figures at this moment."""
        (site,) = SITE.parse(request.parent, "parent")
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            board = await wallboard.wallboard(tx, self._rules.at(site, tx.now).profile)
        return api.Wallboard(
            time=timestamp(board.at),
            queues=[_queue(queue) for queue in board.queues],
            people=[self._person(site, person) for person in board.people],
            customers_online=board.customers_online,
            surge=board.surge,
            breaches=[_breach(site, breach) for breach in board.breaches],
        )

    async def GetServiceLevelReport(
        self, request: api.GetServiceLevelReportRequest, context: Context
    ) -> api.ServiceLevelReport:
        """Promises kept and broken in a period, by queue and by person."""
        _, report = await self._report(request)
        reply = api.ServiceLevelReport(
            to=timestamp(report.end),
            total=_line(report.total),
            by_queue=[_line(line) for line in report.by_queue],
            by_person=[_line(line) for line in report.by_person],
        )
        getattr(reply, "from").CopyFrom(timestamp(report.begin))  # a word of Python
        return reply

    async def ExportServiceLevelReport(
        self, request: api.GetServiceLevelReportRequest, context: Context
    ) -> api.ExportServiceLevelReportResponse:
        """The same as CSV."""
        site, report = await self._report(request)
        zone = self._rules.at(site, self._database.clock.now()).profile.timezone
        return api.ExportServiceLevelReportResponse(
            file_name=sheets.file_name(site, report, zone),
            media_type=sheets.MEDIA_TYPE,
            content=sheets.service_level_csv(report, current().locale),
        )

    async def _report(self, request: api.GetServiceLevelReportRequest) -> tuple[str, Report]:
        (site,) = SITE.parse(request.parent, "parent")
        begin, end = instant(request, "from"), instant(request, "to")
        assert begin is not None  # the contract requires both
        assert end is not None
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            self._rules.at(site, tx.now)
            return site, await reports.service_level(tx, site, begin, end)

    def _person(self, site: str, of: PersonFigures) -> api.PersonFigures:
        principal = current().principal
        name = self._converter.person_name(site, of.person, of.display_name_sealed)
        clear = principal.subject == of.person or principal.may(NAMES, site)
        return api.PersonFigures(
            person=of.person,
            display_name=name if clear else f"{name[:1]}*",
            presence=of.presence,
            load=of.load,
            capacity=of.capacity,
            occupancy_ratio=of.occupancy,
        )


def _queue(of: QueueFigures) -> api.QueueFigures:
    return api.QueueFigures(
        queue=of.queue,
        waiting=of.waiting,
        oldest_wait_seconds=of.oldest_wait_s,
        serving=of.serving,
        first_response_target_seconds=of.target_s,
        recent=_level(of.recent),
        today=_level(of.today),
    )


def _level(of: Level) -> api.ServiceLevel:
    return api.ServiceLevel(met=of.met, breached=of.breached, cancelled=of.cancelled, ratio=of.ratio)


def _breach(site: str, of: Breach) -> api.Breach:
    return api.Breach(
        conversation=f"sites/{site}/conversations/{of.conversation}",
        clock=pb.Clock.Kind.Value(f"KIND_{of.kind}"),
        time=timestamp(of.at),
        queue=of.queue,
        person=of.person,
    )


def _line(of: Line) -> api.ReportLine:
    return api.ReportLine(
        key=of.key,
        offered=of.offered,
        answered=of.answered,
        abandoned=of.abandoned,
        first_response_mean_seconds=of.mean_s,
        first_response_median_seconds=of.median_s,
        first_response_p90_seconds=of.p90_s,
        first_response=_level(of.level),
        breaches=of.breaches,
        transfers=of.transfers,
        rating_mean=of.rating_mean,
        ratings=of.ratings,
    )
