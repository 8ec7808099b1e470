"""Customers: the tier map, who is in it, and everything about one of them."""

from __future__ import annotations

from datetime import UTC
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, request, url_for
from kefu.crm.v1 import customer_pb2
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.crm import Crm
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError, NotFound

CHANNELS: Final = ("SHOP", "TAOBAO", "WECHAT", "WEB", "PHONE", "EMAIL")

PURPOSES: Final = tuple(name.removeprefix("PURPOSE_") for name, value in customer_pb2.Purpose.items() if value)
# For what people may give points; the rest comes from purchases and campaigns.
CAUSES: Final = ("COMPENSATION", "WIN_BACK", "BIRTHDAY", "CAMPAIGN")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/customers")
    def customers(site: str) -> str | AnyResponse:
        channel, external_id = request.args.get("channel", ""), request.args.get("external_id", "").strip()
        if not external_id:
            return _list(site)
        crm = Crm(shell.gate, shell.site(site).id)
        try:
            found = crm.look_up(channel, external_id)
        except KefuError as error:
            return Response(_list(site, fault=shell.fault(error)), 404)
        return redirect(url_for("console.customer", site=site, customer=id_of(found.name)), 303)

    @blueprint.get("/s/<site>/customers/<customer>")
    def customer(site: str, customer: str) -> str:
        return _one(site, customer)

    @blueprint.post("/s/<site>/customers/<customer>/verify")
    def verify_customer(site: str, customer: str) -> AnyResponse:
        Crm(shell.gate, shell.site(site).id).verify(customer)
        return redirect(url_for("console.customer", site=site, customer=customer), 303)

    @blueprint.post("/s/<site>/customers/<customer>/unmask")
    def ask_unmask(site: str, customer: str) -> AnyResponse:
        try:
            grant = Crm(shell.gate, shell.site(site).id).ask_unmask(customer, request.form.get("reason", ""))
        except KefuError as error:
            return Response(_one(site, customer, fault=shell.fault(error)), 422)
        return redirect(url_for("console.customer", site=site, customer=customer, grant=grant), 303)

    @blueprint.post("/s/<site>/customers/<customer>/clear")
    def show_clear(site: str, customer: str) -> AnyResponse:
        try:
            clear = Crm(shell.gate, shell.site(site).id).unmask(request.form.get("grant", ""))
        except KefuError as error:
            return Response(_one(site, customer, fault=shell.fault(error)), 422)
        return Response(_one(site, customer, clear=clear), headers={"Cache-Control": "no-store"})

    @blueprint.post("/s/<site>/customers/<customer>/<action>")
    def act_on_customer(site: str, customer: str, action: str) -> AnyResponse:
        crm, form = Crm(shell.gate, shell.site(site).id), request.form
        try:
            if action == "consent":
                crm.set_consent(customer, _consent())
            elif action == "merge":
                crm.merge(customer, form.get("into", "").strip())
            elif action == "points":
                points = form.get("points", "")
                crm.grant_points(
                    customer,
                    points=int(points) if points.isdecimal() and len(points) < 10 else 0,
                    cause=form.get("cause", ""),
                    reference=form.get("reference", ""),
                )
            else:
                raise NotFound(metadata={"name": action[:40]})
        except KefuError as error:
            return Response(_one(site, customer, fault=shell.fault(error)), 422)
        return redirect(url_for("console.customer", site=site, customer=customer), 303)

    def _list(site: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "customers")
        crm = Crm(shell.gate, site)
        asked = {"tier": request.args.get("tier", ""), "stale": request.args.get("stale", "")}
        found = crm.customers(tier=asked["tier"], stale=bool(asked["stale"]), page_token=request.args.get("page", ""))
        token = found.next_page_token
        return shell.render(
            "pages/customers.html",
            frame=frame,
            tiers=crm.tier_map(),
            preferences=crm.preferences().counts,
            customers=found.customers,
            id_of=id_of,
            state_of=state_of,
            asked=asked,
            channels=CHANNELS,
            fault=fault,
            next_href=f"?{urlencode({**asked, 'page': token})}" if token else "",
        )

    def _one(site: str, customer: str, *, fault: str = "", clear: customer_pb2.Customer | None = None) -> str:
        frame = shell.frame(site, "customers")
        crm = Crm(shell.gate, site)
        found = crm.customer(customer)
        return shell.render(
            "pages/customer.html",
            frame=frame,
            customer=found,
            id=customer,
            id_of=id_of,
            state=state_of(found),
            utc=UTC,
            purpose_of=purpose_of,
            standing=crm.standing(customer),
            points=crm.points(customer),
            statement=crm.statement(customer).entries,
            coupons=crm.coupons(customer).coupons,
            timeline=crm.timeline(customer).entries,
            consents=crm.consents(customer).consents,
            purposes=PURPOSES,
            causes=CAUSES,
            may_write=shell.gate.may("customers.write", site),
            may_grant=shell.gate.may("points.grant", site),
            grant=request.args.get("grant", "") or request.form.get("grant", ""),
            clear=clear,
            fault=fault,
        )


def id_of(name: str) -> str:
    """The last part of a resource name."""
    return name.rpartition("/")[2]


def state_of(customer: customer_pb2.Customer) -> str:
    """A file's state without its prefix."""
    return customer_pb2.Customer.State.Name(customer.state).removeprefix("STATE_")


def purpose_of(consent: customer_pb2.Consent) -> str:
    """A consent's purpose without its prefix."""
    return customer_pb2.Purpose.Name(consent.purpose).removeprefix("PURPOSE_")


def _consent() -> customer_pb2.Consent:
    form = request.form
    if form.get("purpose") not in PURPOSES:
        raise NotFound(metadata={"name": form.get("purpose", "")[:40]})
    return customer_pb2.Consent(
        purpose=customer_pb2.Purpose.Value(f"PURPOSE_{form['purpose']}"),
        channel=form.get("channel", ""),
        granted=form.get("granted") == "yes",
        source=form.get("source", ""),
    )
