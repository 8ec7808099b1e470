"""The wallboard."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from flask import Blueprint, Response, jsonify, url_for

from services.gateway.console import views
from services.gateway.console.present import figures
from services.gateway.console.shell import Shell

QUARTER: Final = timedelta(minutes=15)
QUARTERS: Final = 12
_KEPT: Final = 4_000


class Trend:
    """Conversations and service level by quarter of an hour. What ended an hour ago no longer changes and is kept."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._settled: dict[tuple[str, datetime], views.Point] = {}

    def points(self, site: views.Site) -> list[views.Point]:
        """The last three hours, the running quarter last."""
        now = self._shell.now()
        running = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
        return [self._point(site, running - QUARTER * back, now) for back in range(QUARTERS - 1, -1, -1)]

    def _point(self, site: views.Site, start: datetime, now: datetime) -> views.Point:
        key = (site.id, start)
        if key in self._settled:
            return self._settled[key]
        total = self._shell.backend(site.id).report(start, start + QUARTER).total
        label = self._shell.formats(site.timezone).time(start)
        point = views.Point(label, total.offered, figures.level(total.first_response).ratio)
        if start + QUARTER * 5 < now:
            while len(self._settled) >= _KEPT:
                self._settled.pop(next(iter(self._settled)))
            self._settled[key] = point
        return point


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""
    trend = Trend(shell)

    @blueprint.get("/s/<site>/wallboard")
    def wallboard(site: str) -> str:
        frame = shell.frame(site, "wallboard")
        return shell.render(
            "pages/wallboard.html",
            frame=frame,
            board=_board(frame.site),
            trend=shell.gate.may("reports.read", site),
            site_stream=shell.stream(f"sites/{site}:watch"),
        )

    @blueprint.get("/s/<site>/wallboard/figures")
    def wallboard_figures(site: str) -> str:
        frame = shell.part(site)
        return shell.render("wallboard/figures.html", frame=frame, board=_board(frame.site))

    @blueprint.get("/s/<site>/wallboard/trend")
    def wallboard_trend(site: str) -> Response:
        view = shell.site(site)
        points = trend.points(view)
        return jsonify([{"label": point.label, "offered": point.offered, "ratio": point.ratio} for point in points])

    def _board(site: views.Site) -> views.Wallboard:
        def href(conversation: str) -> str:
            return url_for("console.desk_conversation", site=site.id, conversation=conversation)

        return figures.wallboard(shell.backend(site.id).wallboard(), site, href=href)
