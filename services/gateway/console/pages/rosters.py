"""Rosters: searches with their progress, the roster as a picture, why somebody is missing, publishing."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, request, url_for
from kefu.staffing.v1 import roster_pb2 as pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.pages.customers import id_of
from services.gateway.console.present import rosters as present
from services.gateway.console.rosters import Rosters
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError

WRITE: Final = "rosters.write"
OPEN: Final = (pb.RosterRun.STATE_QUEUED, pb.RosterRun.STATE_RUNNING)


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/rosters")
    def rosters(site: str) -> str:
        return _list(site)

    @blueprint.post("/s/<site>/rosters")
    def create_roster_run(site: str) -> AnyResponse:
        form = request.form
        try:
            zone = ZoneInfo(shell.site(site).timezone)
            made = Rosters(shell.gate, site).create(
                pb.RosterRun(
                    first_day=form.get("first_day", ""),
                    days=7 * _number(form.get("weeks", "")),
                    seconds=_number(form.get("seconds", "")),
                ),
                present.requirements(form.get("requirements", ""), zone),
                pb.Promise(
                    level=_number(form.get("level", "")) / 100,
                    within_seconds=_number(form.get("within", "")),
                    patience_seconds=_number(form.get("patience", "")),
                ),
                form.get("warm_start", ""),
            )
        except KefuError as error:
            return Response(_list(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.roster_run", site=site, run=id_of(made.name)), 303)

    @blueprint.get("/s/<site>/rosters/<run>")
    def roster_run(site: str, run: str) -> str:
        return _one(site, run)

    @blueprint.get("/s/<site>/rosters/<run>/part")
    def roster_run_part(site: str, run: str) -> str:
        return shell.render("parts/roster_run.html", frame=shell.part(site), **_run(site, run))

    @blueprint.post("/s/<site>/rosters/<run>/cancel")
    def cancel_roster_run(site: str, run: str) -> AnyResponse:
        try:
            Rosters(shell.gate, shell.site(site).id).cancel(run)
        except KefuError as error:
            return Response(_one(site, run, fault=shell.fault(error)), 422)
        return redirect(url_for("console.roster_run", site=site, run=run), 303)

    @blueprint.post("/s/<site>/rosters/<run>/publish")
    def publish_roster(site: str, run: str) -> AnyResponse:
        try:
            Rosters(shell.gate, shell.site(site).id).publish(run, request.form.getlist("agreed"))
        except KefuError as error:
            return Response(_one(site, run, fault=shell.fault(error)), 422)
        return redirect(url_for("console.rosters", site=site), 303)

    @blueprint.get("/s/<site>/my-shifts.ics")
    def my_shifts(site: str) -> Response:
        found = Rosters(shell.gate, shell.site(site).id).calendar(shell.person().id)
        response = Response(found.content, content_type=found.media_type)
        response.headers.set("Content-Disposition", "attachment", filename=found.file_name)
        return response

    def _list(site: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "rosters")
        calls, may = Rosters(shell.gate, site), shell.gate.may(WRITE, site)
        found = calls.runs(request.args.get("page", "")) if may else None
        token = found.next_page_token if found else ""
        today = shell.now().astimezone(ZoneInfo(frame.site.timezone)).date()
        return shell.render(
            "pages/rosters.html",
            frame=frame,
            runs=found.roster_runs if found else (),
            published=calls.published(),
            names=shell.names(site),
            may_write=may,
            next_monday=today + timedelta(days=14 - today.weekday()),
            given=request.form,
            fault=fault,
            next_href=f"?page={token}" if token else "",
            **_of_templates(),
        )

    def _one(site: str, run: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "rosters")
        return shell.render("pages/roster_run.html", frame=frame, fault=fault, **_run(site, run))

    def _run(site: str, run: str) -> dict[str, Any]:
        found, names = Rosters(shell.gate, shell.site(site).id).run(run), shell.names(site)
        return {
            "run": found,
            "chart": present.chart(found, ZoneInfo(shell.site(site).timezone), names),
            "names": names,
            "open": found.state in OPEN,
            "may_publish": shell.gate.may("rosters.publish", site),
            "agreed": request.form.getlist("agreed"),
            **_of_templates(),
        }


def _number(text: str) -> int:
    """A number that somebody typed; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _of_templates() -> dict[str, Any]:
    return {"id_of": id_of, "state_of": state_of, "utc": UTC}


def state_of(run: pb.RosterRun) -> str:
    """A run's state without its prefix."""
    return pb.RosterRun.State.Name(run.state).removeprefix("STATE_")
