"""The one REST view: every path under /v1/ is transcoded by its contract."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from flask import Blueprint, Flask, Response, g, redirect, request
from flask.globals import app_ctx, request_ctx
from google.protobuf.message import Message
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.transcode.decode import HttpRequest, decode
from services.gateway.transcode.encode import HttpReply, encode
from services.gateway.transcode.problem import problem, status_of
from services.gateway.transcode.routes import Route, Routes
from services.gateway.transcode.values import malformed
from services.gateway.upstream import Upstream
from services.gateway.web.problems import answer
from services.kit import call as calls
from services.kit.call import Call
from services.kit.errors import Aborted, KefuError, NotFound, Unauthenticated

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Served in this process instead of by a service: full method path → what to call with the request.
Handlers = Mapping[str, Callable[[Message], Message]]
VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
PUBLIC: Final = "public"
_OURS: Final = frozenset({"alt", "as"})
_MOST_PARAMETERS: Final = 200


def install_rest(app: Flask, routes: Routes, upstream: Upstream, handlers: Handlers, *, stream_url: str) -> None:
    """Register the view for all routes."""
    blueprint = Blueprint("rest", __name__)

    def serve(rest: str) -> AnyResponse:
        found = routes.find(request_ctx.request.method, f"/v1/{rest}")
        if isinstance(found, frozenset):
            return _unknown(found)
        route, values = found
        if route.streaming:
            query = request.query_string.decode("ascii", "replace")
            return redirect(f"{stream_url}/v1/{rest}{'?' if query else ''}{query}", 307)
        return _call(route, values)

    def _call(route: Route, values: tuple[str, ...]) -> Response:
        call: Call = app_ctx.g.call
        if call.token is None and route.permission != PUBLIC:
            raise Unauthenticated
        environ = request_ctx.request.environ
        message = decode(route, _read_request(values, environ))
        if not route.safe:
            _ensure_request_id(message)
        call.method = route.path
        handler = handlers.get(route.path)
        with calls.bind(call):
            try:
                reply = handler(message) if handler is not None else upstream.invoke(route, message)
            except Aborted as error:
                if "HTTP_IF_MATCH" not in environ:
                    raise
                return answer(problem(error, g.locale, status=412))
        return answer(_encode(route, reply, environ))

    blueprint.add_url_rule("/v1/<path:rest>", "serve", serve, methods=list(VERBS), provide_automatic_options=False)
    app.register_blueprint(blueprint)


def _read_request(values: tuple[str, ...], environ: WSGIEnvironment) -> HttpRequest:
    # Straight from the environment: the wrappers of Flask and werkzeug cost more than the rest of a call.
    query = environ.get("QUERY_STRING", "")
    has_body = environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ
    return HttpRequest(
        values=values,
        query=_query(query) if query else (),
        body=request.get_data(cache=False) if has_body else b"",
        content_type=environ.get("CONTENT_TYPE", ""),
        idempotency_key=environ.get("HTTP_IDEMPOTENCY_KEY"),
        if_match=environ.get("HTTP_IF_MATCH"),
    )


def _query(text: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError as fault:
        raise malformed("the query string is not UTF-8 or has too many parameters") from fault
    return [pair for pair in pairs if pair[0] not in _OURS]


def _encode(route: Route, reply: Message, environ: WSGIEnvironment) -> HttpReply:
    alt = request.args.get("alt", "") if "alt=" in environ.get("QUERY_STRING", "") else ""
    return encode(
        route,
        reply,
        accept=environ.get("HTTP_ACCEPT", "*/*"),
        alt=alt,
        if_none_match=environ.get("HTTP_IF_NONE_MATCH", ""),
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
