"""The service-level report, on the page and as CSV."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, Response, request

from services.gateway.console.pages.conversations import midnight
from services.gateway.console.present import figures
from services.gateway.console.shell import Shell


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/report")
    def report(site: str) -> str:
        frame = shell.frame(site, "report")
        since, until, begin, end = _period(frame.site.timezone)
        found = shell.backend(site).report(begin, end)
        queues = {queue.value: queue.label for queue in frame.site.queues}
        return shell.render(
            "pages/report.html",
            frame=frame,
            since=since,
            until=until,
            total=[figures.report_line(found.total, {}, frame.site.label)] if found.total.offered else [],
            by_queue=[figures.report_line(line, queues, "–") for line in found.by_queue],
            by_person=[figures.report_line(line, shell.names(site), "–") for line in found.by_person],
        )

    @blueprint.get("/s/<site>/report.csv")
    def report_csv(site: str) -> Response:
        _, _, begin, end = _period(shell.site(site).timezone)
        file = shell.backend(site).report_csv(begin, end)
        response = Response(file.content, content_type=file.media_type)
        response.headers.set("Content-Disposition", "attachment", filename=file.file_name)
        return response

    def _period(timezone: str) -> tuple[str, str, datetime, datetime]:
        today = shell.formats(timezone).local(shell.now()).date().isoformat()
        since, until = request.args.get("from") or today, request.args.get("to") or today
        return since, until, midnight(since, timezone), midnight(until, timezone) + timedelta(days=1)
