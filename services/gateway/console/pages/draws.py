"""Draws: what was promised, what was drawn, and everything that proves it."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from flask import Blueprint, Response, redirect, request, stream_with_context, url_for
from kefu.qa.v1 import draw_service_pb2 as api
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.pages.customers import id_of
from services.gateway.console.qa import Qa
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError

REASONS: Final = ("NO_CONTENT", "PURGED", "UNREADABLE", "WRONG_PERSON", "CONFLICT_OF_INTEREST")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/draws")
    def draws(site: str) -> str:
        return _list(site)

    @blueprint.post("/s/<site>/draws")
    def spot_check(site: str) -> AnyResponse:
        form = request.form
        try:
            made = Qa(shell.gate, shell.site(site).id).spot_check(
                number=_number(form.get("number", "")),
                days=_number(form.get("days", "")),
                person=form.get("person", ""),
                reason=form.get("reason", "").strip(),
            )
        except KefuError as error:
            return Response(_list(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.draw", site=site, draw=id_of(made.name)), 303)

    @blueprint.get("/s/<site>/draws/<draw>")
    def draw(site: str, draw: str) -> str:
        return _one(site, draw)

    @blueprint.post("/s/<site>/draws/<draw>/replace")
    def replace_sample(site: str, draw: str) -> AnyResponse:
        try:
            Qa(shell.gate, shell.site(site).id).replace(
                draw, request.form.get("recording", ""), request.form.get("reason", "")
            )
        except KefuError as error:
            return Response(_one(site, draw, fault=shell.fault(error)), 422)
        return redirect(url_for("console.draw", site=site, draw=draw), 303)

    @blueprint.get("/s/<site>/draws/<draw>/record")
    def draw_record(site: str, draw: str) -> Response:
        found = Qa(shell.gate, shell.site(site).id).record(draw)
        return _file(Response(found.content, content_type=found.media_type), found.file_name)

    @blueprint.get("/s/<site>/draws/<draw>/frame")
    def draw_frame(site: str, draw: str) -> Response:
        qa = Qa(shell.gate, shell.site(site).id)
        name = f"FRAME-{qa.draw(draw).frame_sha256[:16]}"
        pieces = Response(stream_with_context(qa.frame(draw)), content_type="application/octet-stream")
        return _file(pieces, name)

    @blueprint.get("/s/<site>/draws/verify_draw.py")
    def verifier(site: str) -> Response:
        found = Qa(shell.gate, shell.site(site).id).verifier()
        return _file(Response(found.content, content_type=found.media_type), found.file_name)

    def _list(site: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "draws")
        qa = Qa(shell.gate, site)
        found = qa.draws(request.args.get("page", ""))
        token = found.next_page_token
        return shell.render(
            "pages/draws.html",
            frame=frame,
            draws=found.draws,
            duty=found.spot_checks,
            commitments=qa.commitments().commitments,
            names=shell.names(site),
            may_check=shell.gate.may("draws.create", site),
            fault=fault,
            next_href=f"?page={token}" if token else "",
            **_of_templates(),
        )

    def _one(site: str, draw: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "draws")
        qa = Qa(shell.gate, site)
        samples = qa.samples(draw, request.args.get("page", ""))
        token = samples.next_page_token
        return shell.render(
            "pages/draw.html",
            frame=frame,
            draw=qa.draw(draw),
            id=draw,
            samples=samples.samples,
            names=shell.names(site),
            reasons=REASONS,
            may_replace=shell.gate.may("draws.replace", site),
            fault=fault,
            next_href=f"?page={token}" if token else "",
            **_of_templates(),
        )


def _file(response: Response, name: str) -> Response:
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _number(text: str) -> int:
    """A number that somebody typed; 0, which the contract refuses, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _of_templates() -> dict[str, Any]:
    return {"id_of": id_of, "kind_of": kind_of, "utc": UTC}


def kind_of(draw: api.Draw) -> str:
    """A draw's kind without its prefix."""
    return api.Draw.Kind.Name(draw.kind).removeprefix("KIND_")
