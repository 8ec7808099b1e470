"""The gateway's metrics, from the catalogue."""

from __future__ import annotations

import time
from importlib.metadata import version

from flask import Flask, Response, g
from flask.globals import request_ctx
from prometheus_client import CollectorRegistry

from services.kit import figures
from services.kit.telemetry.metrics import Metrics

OWNERS = ("rpc", "process", figures.OWNER, "gateway")


class GatewayMetrics:
    """What every process of the gateway counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.catalogue = Metrics.from_catalogue(self.registry, owners=OWNERS)
        self.catalogue.info("kefu_build_info", service="gateway", version=version("kefu"))
        self.requests = self.catalogue.histogram("kefu_gateway_request_duration_seconds")
        self.sign_ins = self.catalogue.counter("kefu_gateway_sign_ins_total")
        self.streams = self.catalogue.gauge("kefu_gateway_streams")
        self.streams_dropped = self.catalogue.counter("kefu_gateway_streams_dropped_total")
        self.deliveries = self.catalogue.counter("kefu_gateway_webhook_deliveries_total")


def install_metrics(app: Flask, metrics: GatewayMetrics) -> None:
    """Measure every request by the class of its status and whether it is an API call, a page or a file."""

    def begin() -> None:
        g.began = time.perf_counter()

    def end(response: Response) -> Response:
        began = g.get("began")
        if began is not None:
            asked = request_ctx.request
            static = "static" if (asked.endpoint or "").endswith("static") else "page"
            kind = "api" if asked.path.startswith("/v1/") else static
            metrics.requests[kind, f"{response.status_code // 100}xx"].observe(time.perf_counter() - began)
        return response

    app.before_request(begin)
    app.after_request(end)
