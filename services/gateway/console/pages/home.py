"""The first page, and what belongs to every page: language, site, time, presence, simulated traffic."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.shell import LANGUAGE_COOKIE, SITE_COOKIE, Shell, done, local_path
from services.gateway.console.texts import LANGUAGES
from services.kit.errors import InvalidArgument, NotFound

_YEAR_SECONDS: Final = 365 * 86_400
PRESENCES: Final = ("AVAILABLE", "BUSY", "BREAK", "AWAY", "OFFLINE")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/")
    def home() -> AnyResponse:
        shell.person()
        sites = shell.site_ids()
        if not sites:
            return Response(
                shell.render(
                    "pages/error.html", heading=shell.words()("error.403"), text=shell.words()("error.no_site")
                ),
                403,
            )
        last = request.cookies.get(SITE_COOKIE, "")
        site = last if last in sites else sites[0]
        page = "console.desk" if shell.gate.may("conversations.read", site) else "console.wallboard"
        return redirect(url_for(page, site=site))

    @blueprint.get("/site")
    def choose_site() -> AnyResponse:
        site = shell.site(request.args.get("site", "")).id
        response = redirect(url_for("console.home"))
        response.set_cookie(SITE_COOKIE, site, max_age=_YEAR_SECONDS, samesite="Lax", httponly=True)
        return response

    @blueprint.get("/language/<code>")
    def language(code: str) -> AnyResponse:
        if code not in LANGUAGES:
            raise NotFound(metadata={"name": f"language/{code}"})
        response = redirect(local_path(request.args.get("next")))
        response.set_cookie(LANGUAGE_COOKIE, code, max_age=_YEAR_SECONDS, samesite="Lax", httponly=True)
        return response

    @blueprint.get("/time")
    def time() -> Response:
        return Response(str(int(shell.gate.now().timestamp() * 1000)), content_type="text/plain")

    @blueprint.post("/s/<site>/presence")
    def presence(site: str) -> Response:
        state = request.form.get("state", "")
        if state not in PRESENCES:
            raise InvalidArgument.field("state", ", ".join(PRESENCES))
        shell.backend(shell.site(site).id).set_presence(shell.person().id, state)
        page = shell.render("parts/presence.html", frame=shell.frame(site, ""))
        words = shell.words()
        told = done(words("done.presence", state=words(f"presence.{state}")), events={"kefu:refresh": True})
        return Response(page, headers={"HX-Trigger": told.headers["HX-Trigger"]})

    @blueprint.post("/s/<site>/simulation")
    def simulation(site: str) -> str:
        shell.gate.simulate(bool(request.form.get("running")))
        return shell.render("parts/simulation.html", frame=shell.frame(site, ""))
