"""The only place of the gateway that constructs things: the Flask app and its parts."""

from __future__ import annotations

import importlib.resources
import multiprocessing.util
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify
from google.protobuf.message import Message

from services.gateway.accounts import People
from services.gateway.administration import AdministrationServicer
from services.gateway.config import GatewayConfig
from services.gateway.console.gate import Gate
from services.gateway.console.pages import console_blueprint, error_page
from services.gateway.gate import WebGate
from services.gateway.identity.oidc import oidc_blueprint
from services.gateway.identity.passwords import Passwords
from services.gateway.identity.sessions import Sessions
from services.gateway.identity.tokens import Issuer
from services.gateway.local import local_handlers
from services.gateway.metrics import GatewayMetrics, install_metrics
from services.gateway.oauth.accounts import ServiceAccounts
from services.gateway.oauth.cors import Origins, install_cors
from services.gateway.oauth.routes import oauth_blueprint
from services.gateway.openapi.routes import openapi_blueprint
from services.gateway.profiles import ProfileBook
from services.gateway.runtime import Runtime
from services.gateway.switches import Switches
from services.gateway.transcode.routes import Routes, read_routes
from services.gateway.upstream import Upstream, targets
from services.gateway.web.cookies import Cookies
from services.gateway.web.guard import Guard
from services.gateway.web.problems import ErrorPage, install_problems
from services.gateway.web.rest import install_rest
from services.gateway.web.visitors import Visitors
from services.gateway.webhooks.servicer import WebhookServicer
from services.gateway.worker import Worker
from services.kit import heap
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.crypto import Keys, Vault
from services.kit.errors import KefuError
from services.kit.figures import Figures
from services.kit.keys import KeySet
from services.kit.telemetry.http import MetricsPort
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Tracer

SERVICE: Final = "gateway"
ADMINISTRATION: Final = "kefu.gateway.v1.AdministrationService"
WEBHOOKS: Final = "kefu.gateway.v1.WebhookService"
Handler = Callable[[Message], Message]


@dataclass(slots=True)
class Parts:
    """Everything that one web process is made of; tests and the local stack reach in here."""

    config: GatewayConfig
    runtime: Runtime
    access: Access
    metrics: GatewayMetrics
    figures: Figures
    passwords: Passwords
    sessions: Sessions
    people: People
    service_accounts: ServiceAccounts
    switches: Switches
    issuer: Issuer
    verifier: TokenVerifier
    routes: Routes
    upstream: Upstream
    handlers: dict[str, Handler]
    tracer: Tracer

    def close(self) -> None:
        """Give everything back."""
        self.upstream.close()
        self.runtime.close()
        self.tracer.close()


def contract_image() -> bytes:
    """The descriptors of every contract, with comments."""
    return (importlib.resources.files("kefu") / "image.binpb").read_bytes()


def build(config: GatewayConfig, metrics: GatewayMetrics | None = None) -> Parts:
    """Construct the parts and connect. Raises Unavailable, KeySetError or AccessError when it cannot work."""
    metrics = metrics or GatewayMetrics()
    tracer = Tracer.from_environment(os.environ, SERVICE)
    access = Access.read(config.access)
    issuer = Issuer(config.signing_keys, public_keys=config.public_keys, kid=config.signing_kid)
    verifier = TokenVerifier(KeySet(issuer.public_keys), access)
    routes = read_routes(contract_image())
    runtime = Runtime(config)
    passwords = Passwords()
    sessions = Sessions(runtime, config, passwords, metrics.sign_ins)
    runtime.open()
    administration = AdministrationServicer(
        lambda: runtime.database, access, environment=config.environment, simulation=config.local
    )
    handlers = local_handlers(ADMINISTRATION, administration, runtime=runtime, verifier=verifier)
    if config.sealing_keys is not None:
        vault = Vault(Keys.read(config.sealing_keys))
        webhooks = WebhookServicer(lambda: runtime.database, vault, private=config.webhooks_private)
        handlers |= local_handlers(WEBHOOKS, webhooks, runtime=runtime, verifier=verifier)
    return Parts(
        config=config,
        runtime=runtime,
        access=access,
        metrics=metrics,
        figures=Figures(metrics.catalogue, runtime.database),
        passwords=passwords,
        sessions=sessions,
        people=People(runtime, access, passwords, sessions),
        service_accounts=ServiceAccounts(runtime),
        switches=Switches(runtime, config, access),
        issuer=issuer,
        verifier=verifier,
        routes=routes,
        upstream=Upstream(targets(config, routes), ClientMetrics(metrics.catalogue), tracer),
        handlers=handlers,
        tracer=tracer,
    )


class _PlainFlask(Flask):
    """Every view and hook is a plain function: Flask would ask each, at every request, whether it is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


Pages = Callable[[Gate], Blueprint]


def create_app(parts: Parts, *, pages: Pages | None = None, error_page: ErrorPage | None = None) -> Flask:
    """The Flask app: REST, OpenAPI, OAuth, OIDC, health and, when given, the console's pages."""
    config = parts.config
    app = _PlainFlask("services.gateway")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    cookies = Cookies(config)
    guard = Guard(config, cookies, parts.sessions, parts.issuer, parts.tracer)
    visitors = Visitors(cookies, parts.issuer)
    install_metrics(app, parts.metrics)
    install_problems(app, error_page)
    install_cors(app, Origins(parts.runtime), parts.verifier)
    guard.install(app)
    install_rest(app, parts.routes, parts.upstream, parts.handlers, stream_url=config.stream_url.rstrip("/"))
    app.register_blueprint(oauth_blueprint(config, parts.service_accounts, parts.issuer, parts.verifier, visitors))
    app.register_blueprint(oidc_blueprint(config, parts.runtime, parts.sessions, guard, cookies))
    app.register_blueprint(openapi_blueprint(config, parts.routes, contract_image()))
    _install_health(app, parts)
    if pages is not None:
        gate = WebGate(
            config,
            runtime=parts.runtime,
            access=parts.access,
            sessions=parts.sessions,
            people=parts.people,
            upstream=parts.upstream,
            handlers=parts.handlers,
            guard=guard,
            visitors=visitors,
            profiles=ProfileBook(config.profiles),
            switches=parts.switches,
        )
        app.register_blueprint(pages(gate))
    return app


def _install_health(app: Flask, parts: Parts) -> None:
    def alive() -> Response:
        return jsonify(status="alive")

    def ready() -> tuple[Response, int]:
        try:
            parts.runtime.run(parts.runtime.database.fetchval, "SELECT 1")
        except KefuError:
            return jsonify(status="not ready", faults={"database": "away"}), 503
        return jsonify(status="ready"), 200

    app.add_url_rule("/healthz", view_func=alive)
    app.add_url_rule("/readyz", view_func=ready)


def load_web(config: GatewayConfig) -> Flask:
    """Make the app inside granian's worker process: its own connections, metrics port and end."""
    parts = build(config)
    port = MetricsPort(parts.metrics.registry, config.metrics_listen)
    port.start()
    background = None
    if config.with_worker:
        background = parts.runtime.start_task(run_beside, config, parts)
    # A child of multiprocessing ends without atexit; what it registers here does run.
    multiprocessing.util.Finalize(None, _end, args=(parts, background), exitpriority=10)
    app = create_app(parts, pages=console_blueprint, error_page=error_page)
    heap.keep_what_is_there()
    return app


async def run_beside(config: GatewayConfig, parts: Parts) -> None:
    """The worker's work on the web process's loop, for small installations and laptops."""
    await Worker(config, parts.runtime.database, parts.metrics, parts.figures, parts.tracer).run()


def _end(parts: Parts, background: Future[None] | None) -> None:
    if background is not None:
        background.cancel()
    parts.close()
