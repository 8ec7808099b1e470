"""People: accounts joined with who works at the site; invitations, roles, resets."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console import views
from services.gateway.console.shell import Shell, presence_name
from services.kit.errors import KefuError

ROLES: Final = (
    "agent", "host", "operator", "supervisor", "reviewer", "planner", "manager", "engineer", "admin",
)  # fmt: skip


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/people")
    def people(site: str) -> str:
        return _page(site)

    @blueprint.post("/s/<site>/people/invite")
    def invite(site: str) -> AnyResponse:
        form, roles = request.form, {shell.site(site).id: request.form.getlist("roles")}
        name = form.get("display_name", "").strip()
        try:
            path = shell.gate.invite(user_name=form.get("user_name", ""), display_name=name, roles=roles)
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return Response(_page(site, link=_absolute(path), link_for=name))

    @blueprint.post("/s/<site>/people/<account>/reset")
    def reset_link(site: str, account: str) -> AnyResponse:
        shell.site(site)
        try:
            path = shell.gate.reset(account)
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return Response(_page(site, link=_absolute(path), link_for=account))

    @blueprint.post("/s/<site>/people/<account>/roles")
    def grant(site: str, account: str) -> AnyResponse:
        try:
            shell.gate.grant(account, site=shell.site(site).id, roles=request.form.getlist("roles"))
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.people", site=site), 303)

    @blueprint.post("/s/<site>/people/<account>/disable")
    def disable(site: str, account: str) -> AnyResponse:
        shell.site(site)
        try:
            shell.gate.disable(account)
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.people", site=site), 303)

    def _absolute(path: str) -> str:
        return request.host_url.rstrip("/") + path

    def _page(site: str, *, fault: str = "", link: str = "", link_for: str = "") -> str:
        frame = shell.frame(site, "people")
        return shell.render(
            "pages/people.html",
            frame=frame,
            people=_people(shell, site),
            roles=ROLES,
            fault=fault,
            link=link,
            link_for=link_for,
        )


def _people(shell: Shell, site: str) -> list[views.Person]:
    at_work = {one.name.rsplit("/", 1)[-1]: one for one in shell.colleagues(site)}
    shown = []
    for account in shell.gate.accounts(site):
        colleague = at_work.pop(account.id, None)
        shown.append(
            views.Person(
                id=account.id,
                user_name=account.user_name,
                display_name=account.display_name,
                state=account.state,
                roles=sorted({*account.roles.get(site, ()), *account.roles.get("*", ())}, key=ROLES.index),
                presence=presence_name(colleague.presence.state) if colleague else "",
                skills=list(colleague.skills) if colleague else (),
                capacity=colleague.capacity if colleague else 0,
                last_sign_in=account.last_sign_in,
            )
        )
    # People at work without an account of their own: another frontend's, or somebody not invited yet.
    for person, colleague in at_work.items():
        shown.append(
            views.Person(
                id=person,
                user_name="",
                display_name=colleague.display_name,
                state="",
                roles=(),
                presence=presence_name(colleague.presence.state),
                skills=list(colleague.skills),
                capacity=colleague.capacity,
            )
        )
    return shown
