"""Scorecards: a month's by person, what one is made of, and the evidence of each number in it."""

from __future__ import annotations

import calendar
from datetime import UTC, date
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from kefu.qa.v1 import review_service_pb2 as review_api
from kefu.qa.v1 import scorecard_service_pb2 as api

from services.gateway.console.judging import Judging
from services.gateway.console.pages.customers import id_of
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError

# Review scores are pooled over so many weeks up to the end of a month, or of a quarter.
MONTH_WEEKS: Final = 4
QUARTER_WEEKS: Final = 13


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/scorecards")
    def scorecards(site: str) -> str | Response:
        frame = shell.frame(site, "scorecards")
        this_month = f"{shell.formats(frame.site.timezone).local(shell.now()):%Y-%m}"
        period = request.args.get("period", "").strip() or this_month
        found, fault = api.ListScorecardsResponse(), ""
        try:
            found = Judging(shell.gate, site).scorecards(period, request.args.get("page", ""))
        except KefuError as error:
            fault = shell.fault(error)
        token = found.next_page_token
        page = shell.render(
            "pages/scorecards.html",
            frame=frame,
            scorecards=found.scorecards,
            names=shell.names(site),
            period=period,
            fault=fault,
            next_href=f"?{urlencode({'period': period, 'page': token})}" if token else "",
            **_of_templates(),
        )
        return Response(page, 422) if fault else page

    @blueprint.get("/s/<site>/scorecards/<period>/<person>")
    def scorecard(site: str, period: str, person: str) -> str:
        frame = shell.frame(site, "scorecards")
        judging = Judging(shell.gate, site)
        card = judging.scorecard(period, person)
        until = min(last_day(period), shell.formats(frame.site.timezone).local(shell.now()).date())
        groups: dict[str, list[api.ScorecardLine]] = {}
        for line in card.lines:
            groups.setdefault(line.group, []).append(line)
        return shell.render(
            "pages/scorecard.html",
            frame=frame,
            card=card,
            groups=groups,
            period=period,
            person=person,
            names=shell.names(site),
            registry=judging.registry(),
            until=until,
            marks=_marks(site, judging, person, period, until),
            **_of_templates(),
        )

    @blueprint.get("/s/<site>/scorecards/<period>/<person>/<metric>")
    def evidence(site: str, period: str, person: str, metric: str) -> str:
        frame = shell.frame(site, "scorecards")
        judging = Judging(shell.gate, site)
        found = judging.observations(period, person, metric, request.args.get("page", ""))
        token = found.next_page_token
        return shell.render(
            "pages/evidence.html",
            frame=frame,
            line=next((one for one in judging.scorecard(period, person).lines if one.metric == metric), None),
            metric=judging.registry()[metric],
            observations=found.observations,
            period=period,
            person=person,
            names=shell.names(site),
            next_href=f"?page={token}" if token else "",
            **_of_templates(),
        )

    def _marks(site: str, judging: Judging, person: str, period: str, until: date) -> review_api.ReviewScore | None:
        """The person's review score with its interval; None without reviews of recordings drawn at random."""
        if not shell.gate.may("reviews.read", site):
            return None
        found = judging.review_scores(until.isoformat(), weeks_of(period)).scores
        return next((one for one in found if one.person == person), None)


def _of_templates() -> dict[str, Any]:
    return {"id_of": id_of, "person_of": person_of, "state_of": state_of, "weeks_of": weeks_of, "utc": UTC}


def weeks_of(period: str) -> int:
    """Over how many weeks the reviews of a month (2026-11) or quarter (2026-Q4) are pooled."""
    return QUARTER_WEEKS if "Q" in period else MONTH_WEEKS


def last_day(period: str) -> date:
    """The last day of a month or quarter that a scorecard is of."""
    year, _, part = period.partition("-")
    month = 3 * int(part[1:]) if part.startswith("Q") else int(part)
    return date(int(year), month, calendar.monthrange(int(year), month)[1])


def person_of(card: api.Scorecard) -> str:
    """Whose scorecard it is."""
    return card.name.split("/")[3]


def state_of(card: api.Scorecard) -> str:
    """A scorecard's state without its prefix."""
    return api.Scorecard.State.Name(card.state).removeprefix("STATE_")
