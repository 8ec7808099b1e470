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
from services.kit.errors import KefuError

CHANNELS: Final = ("SHOP", "TAOBAO", "WECHAT", "WEB", "PHONE", "EMAIL")


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
            Crm(shell.gate, shell.site(site).id).ask_unmask(customer, request.form.get("reason", ""))
        except KefuError as error:
            return Response(_one(site, customer, fault=shell.fault(error)), 422)
        return Response(_one(site, customer, told="customer.unmask_asked"))

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
            customers=found.customers,
            id_of=id_of,
            state_of=state_of,
            asked=asked,
            channels=CHANNELS,
            fault=fault,
            next_href=f"?{urlencode({**asked, 'page': token})}" if token else "",
        )

    def _one(site: str, customer: str, *, fault: str = "", told: str = "") -> str:
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
            fault=fault,
            told=told,
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
