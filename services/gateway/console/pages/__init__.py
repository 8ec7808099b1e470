"""The pages, one module each; `console_blueprint` gathers them."""

from __future__ import annotations

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.gate import Gate
from services.gateway.console.pages import (
    account,
    campaigns,
    chat,
    conversations,
    customers,
    desk,
    desk_actions,
    draws,
    home,
    integrations,
    people,
    privacy,
    recordings,
    report,
    reviews,
    rosters,
    scorecards,
    system,
    wallboard,
    win_backs,
)
from services.gateway.console.pages.errors import error_page
from services.gateway.console.shell import STATIC, Shell, epoch, initials
from services.kit.errors import Unauthenticated

__all__ = ["console_blueprint", "error_page"]


def console_blueprint(gate: Gate) -> Blueprint:
    """Every page of the console and the customers' chat page."""
    shell = Shell(gate)
    blueprint = Blueprint(
        "console",
        "services.gateway.console",
        static_folder=str(STATIC),
        static_url_path="/assets",
        template_folder=str(STATIC.parent / "templates"),
    )
    blueprint.add_app_template_filter(epoch)
    blueprint.add_app_template_filter(initials)

    @blueprint.before_request
    def use_the_chosen_language() -> None:
        # Errors, and what services answer, come in the language of the page.
        g.locale = g.call.locale = shell.language().replace("_", "-")

    @blueprint.errorhandler(Unauthenticated)
    def sign_in_first(error: Unauthenticated) -> AnyResponse:
        if request.method == "GET" and "HX-Request" not in request.headers:
            return redirect(url_for("console.sign_in", next=request.full_path.rstrip("?")))
        return Response(shell.fault(error), 401, content_type="text/plain; charset=utf-8")

    @blueprint.after_request
    def keep_versioned_files(response: Response) -> Response:
        if request.endpoint == "console.static" and "v" in request.args:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    for page in (
        home,
        account,
        desk,
        desk_actions,
        wallboard,
        conversations,
        customers,
        campaigns,
        win_backs,
        recordings,
        draws,
        reviews,
        rosters,
        scorecards,
        privacy,
        report,
        people,
        integrations,
        system,
        chat,
    ):
        page.install(blueprint, shell)
    return blueprint
