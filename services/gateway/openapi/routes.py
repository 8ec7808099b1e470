"""/openapi.json and the readable page at /docs."""

from __future__ import annotations

import json
from importlib.metadata import version

from flask import Blueprint, Response, render_template_string, request

from services.gateway.config import GatewayConfig
from services.gateway.openapi.document import document
from services.gateway.openapi.page import PAGE, operations
from services.gateway.transcode.routes import Routes
from services.gateway.web.guard import nonce


def openapi_blueprint(config: GatewayConfig, routes: Routes, image: bytes) -> Blueprint:
    """The routes; the document is built once, at start."""
    blueprint = Blueprint("openapi", __name__)
    made = document(routes, image, public_url=config.origin, version=version("kefu"))
    body = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    listed = operations(made)

    def openapi() -> Response:
        response = Response(body, content_type="application/json")
        response.headers["Cache-Control"] = "public, max-age=300"
        response.add_etag()
        return response.make_conditional(request)  # type: ignore[return-value]

    def docs() -> str:
        return render_template_string(PAGE, document=made, groups=listed, nonce=nonce())

    blueprint.add_url_rule("/openapi.json", view_func=openapi)
    blueprint.add_url_rule("/docs", view_func=docs)
    return blueprint
