"""Winning lost customers back: a board of cases by state, what is known of their causes, and what it is worth."""

from __future__ import annotations

from datetime import UTC
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from kefu.crm.v1 import win_back_service_pb2 as pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.care import Care
from services.gateway.console.pages.customers import id_of
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError, NotFound

STATES: Final = tuple(name.removeprefix("STATE_") for name, value in pb.WinBack.State.items() if value)
CAUSES: Final = tuple(name.removeprefix("CAUSE_") for name, value in pb.WinBack.Cause.items() if value)


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/win_backs")
    def win_backs(site: str) -> str:
        return _board(site)

    @blueprint.post("/s/<site>/win_backs/<case>/<action>")
    def act_on_win_back(site: str, case: str, action: str) -> AnyResponse:
        care, form = Care(shell.gate, shell.site(site).id), request.form
        try:
            if action == "plan":
                care.plan(
                    case,
                    cause=_cause(form.get("cause", "")),
                    reward_points=_whole("reward_points"),
                    coupon_fen=_whole("coupon_yuan") * 100,
                )
            elif action in ("contact", "respond"):
                care.note(case, form.get("note", ""), answered=action == "respond")
            else:
                raise NotFound(metadata={"name": action[:40]})
        except KefuError as error:
            return Response(_board(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.win_backs", site=site), 303)

    def _board(site: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "win_backs")
        care = Care(shell.gate, site)
        by_state: dict[str, list[pb.WinBack]] = {state: [] for state in STATES}
        for case in care.win_backs().cases:
            by_state[state_of(case)].append(case)
        return shell.render(
            "pages/win_backs.html",
            frame=frame,
            by_state=by_state,
            report=care.win_back_report(),
            causes=CAUSES,
            cause_of=lambda cause: pb.WinBack.Cause.Name(cause).removeprefix("CAUSE_"),
            may_write=shell.gate.may("winbacks.write", site),
            id_of=id_of,
            utc=UTC,
            fault=fault,
        )


def state_of(case: pb.WinBack) -> str:
    """A case's state without its prefix."""
    return pb.WinBack.State.Name(case.state).removeprefix("STATE_")


def _cause(text: str) -> str:
    if text not in CAUSES:
        raise NotFound(metadata={"name": text[:40]})
    return text


def _whole(name: str) -> int:
    text = request.form.get(name, "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else 0
