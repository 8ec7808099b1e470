"""Other programs: webhooks that tell them what happens, service accounts with which they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from kefu.events.v1.event_pb2 import Event
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console import views
from services.gateway.console.integrations import Integrations
from services.gateway.console.present.conversations import at, conversation_id
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError

KINDS: Final = tuple(field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields)
ROLES: Final = ("frontend", "telephony", "bot")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/integrations")
    def integrations(site: str) -> str:
        return _page(site)

    @blueprint.post("/s/<site>/integrations/webhooks")
    def create_webhook(site: str) -> AnyResponse:
        form = request.form
        kinds = form.getlist("kinds") or ["*"]
        return _secret(
            site, form.get("url", ""), lambda calls: calls.create_webhook(form.get("url", "").strip(), kinds)
        )

    @blueprint.post("/s/<site>/integrations/webhooks/<webhook>/<action>")
    def change_webhook(site: str, webhook: str, action: str) -> AnyResponse:
        if action == "rotate":
            return _secret(site, webhook, lambda calls: calls.rotate_webhook(webhook))
        if action == "retry":
            return _change(site, lambda calls: calls.retry(webhook, request.form.get("delivery", "")))
        return _change(site, lambda calls: calls.delete_webhook(webhook))

    @blueprint.post("/s/<site>/integrations/accounts")
    def create_service_account(site: str) -> AnyResponse:
        form = request.form
        client_id = form.get("client_id", "").strip()
        return _secret(
            site,
            client_id,
            lambda calls: calls.create_service_account(
                client_id,
                title=form.get("title", "").strip(),
                roles=form.getlist("roles"),
                origins=form.get("origins", "").split(),
            ),
        )

    @blueprint.post("/s/<site>/integrations/accounts/<client_id>/<action>")
    def change_service_account(site: str, client_id: str, action: str) -> AnyResponse:
        if action == "rotate":
            return _secret(site, client_id, lambda calls: calls.rotate_service_account(client_id))
        return _change(site, lambda calls: calls.disable_service_account(client_id))

    def _secret(site: str, of: str, work: Callable[[Integrations], str]) -> AnyResponse:
        try:
            secret = work(Integrations(shell.gate, shell.site(site).id))
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return Response(_page(site, secret=secret, secret_of=of))

    def _change(site: str, work: Callable[[Integrations], None]) -> AnyResponse:
        try:
            work(Integrations(shell.gate, shell.site(site).id))
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.integrations", site=site), 303)

    def _page(site: str, *, fault: str = "", secret: str = "", secret_of: str = "") -> str:
        frame, calls = shell.frame(site, "integrations"), Integrations(shell.gate, site)
        accounts = shell.gate.may("service_accounts.manage", "*")
        return shell.render(
            "pages/integrations.html",
            frame=frame,
            webhooks=[
                views.Webhook(
                    id=conversation_id(one.name),
                    url=one.url,
                    kinds=list(one.kinds),
                    created=at(one.create_time),
                    parked=[
                        views.Delivery(
                            conversation_id(late.name), late.kind, late.tries, late.last_status, late.last_error
                        )
                        for late in calls.parked(conversation_id(one.name))
                    ],
                )
                for one in calls.webhooks()
            ],
            accounts=[
                views.ServiceAccount(
                    id=one.client_id,
                    title=one.title,
                    roles=[f"{held.site}: {', '.join(held.roles)}" for held in one.roles],
                    origins=list(one.origins),
                    active=one.active,
                )
                for one in calls.service_accounts()
            ]
            if accounts
            else None,
            kinds=KINDS,
            roles=ROLES,
            fault=fault,
            secret=secret,
            secret_of=secret_of,
        )
