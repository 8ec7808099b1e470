"""What a failed request is told: problem+json for programs, the console's error page for people."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, request
from kefu.common.v1 import errors_pb2
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from services.gateway.transcode.encode import HttpReply
from services.gateway.transcode.problem import problem, status_of
from services.gateway.transcode.values import malformed
from services.kit.errors import DEFAULT_LOCALE, Internal, InvalidArgument, KefuError, NotFound

_log: Final = logging.getLogger("kefu.gateway")

ErrorPage = Callable[[KefuError, int], str]
"""Renders an error for a person: (error, HTTP status) → HTML."""


def answer(reply: HttpReply) -> Response:
    """The Flask response of a transcoded reply."""
    return Response(reply.body, reply.status, headers=reply.headers)


def install_problems(app: Flask, page: ErrorPage | None = None) -> None:
    """Handle every error of every view; `page` renders those of the console's pages."""

    def known(error: KefuError) -> Response:
        if error.reason == errors_pb2.ERROR_REASON_INTERNAL:
            _log.error("internal error", exc_info=error, extra={"path": request.path, **error.metadata})
        return _respond(error, status_of(error), page)

    def of_http(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            limit = str(app.config["MAX_CONTENT_LENGTH"])
            return known(InvalidArgument(errors_pb2.ERROR_REASON_MESSAGE_TOO_LARGE, {"limit": limit}))
        status = error.code or 500
        if status == 404:
            return _respond(NotFound(metadata={"name": request.path[:200]}), 404, page)
        if status >= 500:
            return unexpected(error)
        response = _respond(malformed(error.name.lower()), status, page)
        for name, value in error.get_headers(request.environ):
            if name == "Allow":
                response.headers[name] = value
        return response

    def unexpected(error: Exception) -> Response:
        error_id = secrets.token_hex(8)
        _log.error("unexpected error", exc_info=error, extra={"path": request.path, "error_id": error_id})
        return _respond(Internal(metadata={"error_id": error_id}), 500, page)

    app.register_error_handler(KefuError, known)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, unexpected)


def _respond(error: KefuError, status: int, page: ErrorPage | None) -> Response:
    if page is not None and _wants_page():
        return Response(page(error, status), status, content_type="text/html; charset=utf-8")
    return answer(problem(error, g.get("locale", DEFAULT_LOCALE), status=status))


def _wants_page() -> bool:
    programs = request.path.startswith(("/v1/", "/oauth/", "/.well-known/")) or request.path == "/openapi.json"
    return not programs and "text/html" in request.headers.get("Accept", "")
