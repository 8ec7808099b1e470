"""/oauth/token (client credentials, RFC 6749 §4.4), /oauth/channelToken, /chat/<site>/token, /.well-known/jwks.json."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, g, jsonify, request

from services.gateway.config import GatewayConfig
from services.gateway.identity.tokens import CHANNEL_SECONDS, LIFETIME_SECONDS, Issuer
from services.gateway.limits import RateLimit
from services.gateway.oauth.accounts import FRONTEND, ServiceAccounts
from services.gateway.transcode.values import check_text, malformed, read_json
from services.gateway.web.visitors import Visitors
from services.kit.access import EVERY_SITE, Kind
from services.kit.auth import TokenVerifier
from services.kit.errors import InvalidArgument, NotFound, PermissionDenied

SIMULATOR: Final = "simulator"
_SITE: Final = re.compile(r"[a-z0-9-]{1,40}")
_CHANNEL: Final = re.compile(r"[A-Z]{1,20}")
_CUSTOMER: Final = re.compile(r"[A-Za-z0-9._:@-]{1,64}")
_TIER: Final = re.compile(r"[A-Z0-9_]{0,40}")
_LONGEST_SECONDS: Final = 12 * 3600


def oauth_blueprint(
    config: GatewayConfig, accounts: ServiceAccounts, issuer: Issuer, verifier: TokenVerifier, visitors: Visitors
) -> Blueprint:
    """The routes, rate limited by account and by address."""
    blueprint = Blueprint("oauth", __name__)
    by_address = RateLimit(burst=60, per_second=5)
    by_client = RateLimit(burst=30, per_second=2)
    chat = RateLimit(burst=20, per_second=0.5)
    channel = RateLimit(burst=500, per_second=100)

    def token() -> Response:
        by_address.take(request.remote_addr or "")
        client, secret = _credentials()
        by_client.take(client)
        account = accounts.authenticate(client, secret)
        return _answer(issuer.service(account.id, account.roles), LIFETIME_SECONDS)

    def channel_token() -> Response:
        account, roles = _frontend(accounts, verifier, by_address)
        fields = _channel_fields()
        held = roles.get(fields["site"], frozenset()) | roles.get(EVERY_SITE, frozenset())
        if FRONTEND not in held:
            raise PermissionDenied(metadata={"permission": FRONTEND})
        channel.take(account)
        seconds = fields.pop("seconds")
        made = issuer.channel(**fields, issued_by=account, simulated=SIMULATOR in held, seconds=seconds)
        return _answer(made, seconds)

    def visitor_token(site: str) -> Response:
        chat.take(request.remote_addr or "")
        if not _SITE.fullmatch(site) or not config.open_to_visitors(site):
            raise NotFound(metadata={"name": f"chat/{site}"[:60]})
        made, visitor = visitors.token(site)
        response = _answer(made, CHANNEL_SECONDS)
        response.headers["X-Kefu-Customer"] = visitor
        return response

    def jwks() -> Response:
        response = jsonify(issuer.jwks())
        response.headers["Cache-Control"] = "public, max-age=60"
        return response

    blueprint.add_url_rule("/oauth/token", view_func=token, methods=["POST"])
    blueprint.add_url_rule("/oauth/channelToken", view_func=channel_token, methods=["POST"])
    blueprint.add_url_rule("/chat/<site>/token", view_func=visitor_token, methods=["POST"])
    blueprint.add_url_rule("/.well-known/jwks.json", view_func=jwks)
    return blueprint


def _answer(token: str, seconds: float) -> Response:
    response = jsonify(access_token=token, token_type="Bearer", expires_in=int(seconds))  # noqa: S106 - a scheme's name
    response.headers["Cache-Control"] = "no-store"
    return response


def _credentials() -> tuple[str, str]:
    """Client id and secret from HTTP Basic or the form."""
    if request.form.get("grant_type") != "client_credentials":
        raise InvalidArgument.field("grant_type", "must be client_credentials")
    header = request.headers.get("Authorization", "")
    if header.startswith("Basic "):
        client, secret = _basic(header)
    else:
        client, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    for part in (client, secret):
        check_text(part)
    if not client or not secret:
        raise InvalidArgument.field("client_id", "and client_secret are needed")
    return client, secret


def _frontend(
    accounts: ServiceAccounts, verifier: TokenVerifier, by_address: RateLimit
) -> tuple[str, Mapping[str, frozenset[str]]]:
    """The calling service account and its roles by site: by its bearer token, or by Basic credentials."""
    if g.token is not None:
        principal = verifier.verify(g.token)
        if principal.kind is not Kind.SERVICE:
            raise PermissionDenied(metadata={"permission": FRONTEND})
        return principal.subject, principal.sites
    by_address.take(request.remote_addr or "")
    account = accounts.authenticate(*_basic(request.headers.get("Authorization", "")))
    return account.id, account.roles


def _basic(header: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, ValueError) as fault:
        raise malformed("the Authorization header is not Basic credentials") from fault
    client, _, secret = decoded.partition(":")
    return client, secret


def _channel_fields() -> dict[str, Any]:
    body = read_json(request.get_data())
    if not isinstance(body, dict):
        raise malformed("the body must be a JSON object")
    known = {"site": _SITE, "channel": _CHANNEL, "customer": _CUSTOMER, "tier": _TIER}
    fields: dict[str, Any] = {}
    for name, pattern in known.items():
        value = body.pop(name, "")
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise InvalidArgument.field(name, f"must match {pattern.pattern}")
        fields[name] = value
    fields["name"] = body.pop("name", "")
    fields["locale"] = body.pop("locale", "")
    fields["seconds"] = body.pop("ttlSeconds", CHANNEL_SECONDS)
    if not all(isinstance(fields[name], str) and len(fields[name]) <= 80 for name in ("name", "locale")):
        raise InvalidArgument.field("name", "is at most 80 characters")
    seconds = fields["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 60 <= seconds <= _LONGEST_SECONDS:
        raise InvalidArgument.field("ttlSeconds", f"is 60 to {_LONGEST_SECONDS}")
    if body:
        raise InvalidArgument.field(str(next(iter(body)))[:60], "is not a field of this request", "unknown")
    return fields
