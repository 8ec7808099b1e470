"""CORS: the origins that service accounts may be used from, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from flask import Flask, Response, g, request

from services.gateway.oauth import store
from services.gateway.runtime import Runtime
from services.kit.auth import TokenVerifier
from services.kit.errors import KefuError

_RECHECK_SECONDS: Final = 5.0
_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"
_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Accept-Language, traceparent"
_EXPOSED: Final = "ETag, Retry-After, Content-Disposition"


class Origins:
    """Origin → service accounts, read again every few seconds."""

    def __init__(self, runtime: Runtime, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._monotonic = monotonic
        self._known: Mapping[str, frozenset[str]] = {}
        self._read_at = float("-inf")

    def accounts(self, origin: str) -> frozenset[str]:
        """The accounts that may be used from an origin."""
        if self._monotonic() - self._read_at > _RECHECK_SECONDS:
            self._read_at = self._monotonic()
            self._known = self._runtime.run(store.all_origins, self._runtime.database)
        return self._known.get(origin, frozenset())


def install_cors(app: Flask, origins: Origins, verifier: TokenVerifier) -> None:
    """Answer preflights and mark answers under /v1/ and /oauth/. Cookies are never allowed across origins."""

    def preflight() -> Response | None:
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None or request.method != "OPTIONS" or not _concerned():
            return None
        response = Response(status=204)
        if origins.accounts(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _HEADERS
            response.headers["Access-Control-Max-Age"] = "600"
        response.headers["Vary"] = "Origin"
        return response

    def mark(response: Response) -> Response:
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None or not _concerned() or request.method == "OPTIONS":
            return response
        response.headers.add("Vary", "Origin")
        if g.get("token") and g.get("user") is None and _holder(verifier, g.token) in origins.accounts(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    app.before_request(preflight)
    app.after_request(mark)


def _concerned() -> bool:
    return request.path.startswith("/v1/")


def _holder(verifier: TokenVerifier, token: str) -> str:
    """The service account behind a token: its own, or the one that a customer's channel token was given to."""
    try:
        principal = verifier.verify(token)
    except KefuError:
        return ""
    return str(principal.claims.get("issued_by") or principal.subject)
