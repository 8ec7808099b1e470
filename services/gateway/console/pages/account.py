"""Signing in and out, and the links of invitations and resets."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.shell import Shell, local_path
from services.kit.errors import InvalidArgument, KefuError, ResourceExhausted, Unauthenticated


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> AnyResponse:
        target = request.args.get("next", "")
        if request.method == "GET":
            if shell.gate.person() is not None:
                return redirect(local_path(target))
            done = shell.words()("sign_in.password_set") if "set" in request.args else ""
            return Response(_form(target, done=done, user_name=request.args.get("user_name", "")))
        user_name = request.form.get("user_name", "")
        try:
            shell.gate.sign_in(user_name, request.form.get("password", ""))
        except Unauthenticated:
            return Response(_form(target, fault=shell.words()("sign_in.failed"), user_name=user_name), 401)
        except ResourceExhausted as error:
            return Response(_form(target, fault=shell.fault(error), user_name=user_name), 429)
        return redirect(local_path(target), 303)

    def _form(target: str, *, fault: str = "", done: str = "", user_name: str = "") -> str:
        return shell.render(
            "pages/sign_in.html",
            fault=fault,
            done=done,
            user_name=user_name,
            next=target,
            oidc_label=shell.gate.oidc_label,
            oidc_url=url_for("oidc.start"),
        )

    @blueprint.post("/sign-out")
    def sign_out() -> AnyResponse:
        shell.gate.sign_out()
        return redirect(url_for("console.sign_in"), 303)

    @blueprint.route("/invite/<token>", methods=["GET", "POST"])
    def set_password(token: str) -> AnyResponse:
        account = shell.gate.invited(token)
        fault, status = "", 200
        if request.method == "POST":
            password = request.form.get("password", "")
            if password != request.form.get("again", ""):
                fault, status = shell.words()("password.differ"), 422
            else:
                try:
                    shell.gate.set_password(token, password)
                except InvalidArgument as error:
                    fault, status = _why(error), 422
                else:
                    return redirect(url_for("console.sign_in", set=1, user_name=account.user_name), 303)
        return Response(shell.render("pages/set_password.html", account=account, fault=fault), status)

    def _why(error: KefuError) -> str:
        words = shell.words()
        reasons = [f"password.{fault.reason}" for fault in error.fields]
        return next((words(key) for key in reasons if words.has(key)), shell.fault(error))
