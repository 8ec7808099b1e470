"""The one REST view: every path under /v1/ is transcoded by its contract."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Flask, Response, g, redirect, request
from google.protobuf.message import Message
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.transcode.decode import HttpRequest, decode
from services.gateway.transcode.encode import HttpReply, encode
from services.gateway.transcode.problem import problem, status_of
from services.gateway.transcode.routes import Route, Routes
from services.gateway.upstream import Upstream
from services.gateway.web.problems import answer
from services.kit import call as calls
from services.kit.errors import Aborted, KefuError, NotFound, Unauthenticated

# Served in this process instead of by a service: full method path → what to call with the request.
Handlers = Mapping[str, Callable[[Message], Message]]
VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
PUBLIC: Final = "public"
_OURS: Final = frozenset({"alt", "as"})


def install_rest(app: Flask, routes: Routes, upstream: Upstream, handlers: Handlers, *, stream_url: str) -> None:
    """Register the view for all routes."""
    blueprint = Blueprint("rest", __name__)

    def serve(rest: str) -> AnyResponse:
        found = routes.find(request.method, f"/v1/{rest}")
        if isinstance(found, frozenset):
            return _unknown(found)
        route, values = found
        if route.streaming:
            query = request.query_string.decode("ascii", "replace")
            return redirect(f"{stream_url}/v1/{rest}{'?' if query else ''}{query}", 307)
        return _call(route, values)

    def _call(route: Route, values: tuple[str, ...]) -> Response:
        if g.token is None and route.permission != PUBLIC:
            raise Unauthenticated
        message = decode(route, _read_request(values))
        if not route.safe:
            _ensure_request_id(message)
        g.call.method = route.path
        handler = handlers.get(route.path)
        with calls.bind(g.call):
            try:
                reply = handler(message) if handler is not None else upstream.invoke(route, message)
            except Aborted as error:
                if "If-Match" not in request.headers:
                    raise
                return answer(problem(error, g.locale, status=412))
        return answer(_encode(route, reply))

    blueprint.add_url_rule("/v1/<path:rest>", "serve", serve, methods=list(VERBS), provide_automatic_options=False)
    app.register_blueprint(blueprint)


def _read_request(values: tuple[str, ...]) -> HttpRequest:
    headers = request.headers
    return HttpRequest(
        values=values,
        query=[pair for pair in request.args.items(multi=True) if pair[0] not in _OURS],
        body=request.get_data(cache=False),
        content_type=headers.get("Content-Type", ""),
        idempotency_key=headers.get("Idempotency-Key"),
        if_match=headers.get("If-Match"),
    )


def _encode(route: Route, reply: Message) -> HttpReply:
    return encode(
        route,
        reply,
        accept=request.headers.get("Accept", "*/*"),
        alt=request.args.get("alt", ""),
        if_none_match=request.headers.get("If-None-Match", ""),
    )


def _ensure_request_id(message: Message) -> None:
    """A write without an idempotency key gets one, so that our own repetition does nothing twice."""
    if "request_id" in message.DESCRIPTOR.fields_by_name and not message.request_id:  # type: ignore[attr-defined]
        message.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]


def _unknown(allowed: frozenset[str]) -> Response:
    error: KefuError = NotFound(metadata={"name": request.path[:200]})
    reply = problem(error, g.locale, status=405 if allowed else status_of(error))
    if allowed:
        reply.headers["Allow"] = ", ".join(sorted(allowed))
    return answer(reply)
