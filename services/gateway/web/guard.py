"""Who calls: every request passes here before its view. Session or bearer token, CSRF, host, headers, language."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask.globals import app_ctx, request_ctx
from kefu.common.v1 import errors_pb2

from services.gateway.config import GatewayConfig
from services.gateway.identity.secrets import equal, mac, new_secret
from services.gateway.identity.sessions import Sessions
from services.gateway.identity.tokens import Issuer
from services.gateway.identity.user import User
from services.gateway.web.cookies import Cookies
from services.kit.call import Call
from services.kit.deadline import Deadline
from services.kit.errors import InvalidArgument, PermissionDenied, Unauthenticated, choose_locale
from services.kit.telemetry.trace import Tracer, failed

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
REQUEST_SECONDS: Final = 10.0
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Called by programs that hold a secret of their own, or with nothing to gain for a foreign page.
_NO_FORM: Final = re.compile(r"/oauth/.*|/chat/[^/]+/token")
_BEARER: Final = "Bearer "
_PROBES: Final = frozenset({"/healthz", "/readyz"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
# No page: nothing may be loaded by it, framed around it, or kept of it.
_OF_CALLS: Final = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)
_OF_PAGES: Final = (
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
_OF_ALL: Final = (("X-Content-Type-Options", "nosniff"),)
_OVER_TLS: Final = (("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),)
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:;"
    " connect-src {connect}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Guard:
    """Installs itself on an app: `g.user`, `g.token`, `g.call`, `g.locale`, `g.nonce` are there for every view."""

    def __init__(
        self, config: GatewayConfig, cookies: Cookies, sessions: Sessions, issuer: Issuer, tracer: Tracer
    ) -> None:
        self._config = config
        self._cookies = cookies
        self._sessions = sessions
        self._issuer = issuer
        self._tracer = tracer
        public = urlsplit(config.public_url)
        self._hosts = {public.netloc, public.hostname or "", *config.hosts}
        self._stream = config.stream_url.rstrip("/")
        self._connect = " ".join(filter(None, ["'self'", self._stream]))
        self._of_all = _OF_ALL + (_OVER_TLS if config.secure else ())

    def install(self, app: Flask) -> None:
        """Hook into the app."""
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.config["MAX_FORM_MEMORY_SIZE"] = 256 * 1024
        app.before_request(self._before)
        app.after_request(self._after)
        app.teardown_request(_close_span)

    def _before(self) -> None:
        # Here and below: one look through Flask's proxies, not one for each use.
        environ, here = request_ctx.request.environ, app_ctx.g
        here.locale = choose_locale(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        here.user, here.session, here.token, here.new_visit = None, "", None, ""
        self._check_host(environ.get("HTTP_HOST", ""))
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        by_token = authorization.startswith(_BEARER)
        if by_token:
            here.token = authorization[len(_BEARER) :].strip()
        else:
            self._read_session()
        trace = self._tracer.begin(environ.get("HTTP_TRACEPARENT"))
        here.call = Call("", token=here.token, locale=here.locale, trace=trace, deadline=Deadline(REQUEST_SECONDS))
        if trace.sampled:
            attributes = {"http.request.method": request.method, "http.route": str(request.url_rule or "")}
            name = f"{request.method} {request.url_rule or 'unknown'}"
            here.call.span = self._tracer.open(trace, name, kind="SERVER", attributes=attributes)
        if not by_token and environ["REQUEST_METHOD"] not in _SAFE:
            self._check_form()

    def _check_host(self, host: str) -> None:
        # Probes come to the pod's address; a developer's machine has several names for itself.
        if request.path in _PROBES or (self._config.local and host.rsplit(":", 1)[0] in _LOOPBACK):
            return
        if host not in self._hosts and host.rsplit(":", 1)[0] not in self._hosts:
            raise InvalidArgument(
                errors_pb2.ERROR_REASON_MALFORMED_REQUEST, {"detail": "the Host header names another site"}
            )

    def _read_session(self) -> None:
        cookie = request.cookies.get(self._cookies.session, "")
        if not cookie:
            return
        user = self._sessions.find(cookie)
        if user is not None:
            g.user, g.session = user, cookie
            g.token = self._issuer.person(user)
            if user.locale:
                g.locale = choose_locale(user.locale)

    def _check_form(self) -> None:
        """A browser sends our cookies along with whatever page made it write: only our own pages know the token."""
        if _NO_FORM.fullmatch(request.path):
            return
        if g.user is None and request.path.startswith("/v1/"):
            raise Unauthenticated
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin != self._config.origin and not self._same_host(origin)
        given = request.headers.get("X-CSRF-Token", "") or request.form.get("csrf_token", "")
        ours = any(equal(given, token) for token in self._csrf_tokens())
        if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site" or not ours:
            raise PermissionDenied(metadata={"permission": "csrf_token"})

    def _same_host(self, origin: str) -> bool:
        return urlsplit(origin).netloc == request.headers.get("Host")

    def csrf_token(self) -> str:
        """The token that every writing form of this visit carries."""
        return self._csrf_tokens()[0]

    def _csrf_tokens(self) -> list[str]:
        binding = g.session or request.cookies.get(self._cookies.visit, "") or g.new_visit
        if not binding:
            binding = g.new_visit = new_secret()
        return [mac(secret, "csrf", binding) for secret in self._config.secrets]

    def signed_in(self, session: str, user: User) -> None:
        """Make a new session the current one; its cookie goes out with the response."""
        g.user, g.session, g.new_session = user, session, session

    def signed_out(self) -> None:
        """Forget the session; its cookie is removed with the response."""
        g.user, g.session, g.new_session = None, "", ""

    def _after(self, response: Response) -> Response:
        here, asked = app_ctx.g, request_ctx.request
        session = here.get("new_session")
        if session:
            self._cookies.set(response, self._cookies.session, session, seconds=int(self._config.session_seconds))
        elif session == "":
            self._cookies.clear(response, self._cookies.session)
        if here.get("new_visit"):
            self._cookies.set(response, self._cookies.visit, here.new_visit)
        for site, value in here.get("new_visitors", {}).items():
            self._cookies.set_visitor(response, site, value)
        call = here.get("call")
        if call is not None and call.span is not None:
            call.span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                failed(call.span, str(response.status_code))
        if asked.path.startswith("/v1/"):
            _complete(response, self._of_all + _OF_CALLS)
            return response
        policy = _POLICY.format(nonce=nonce(), connect=self._connect)
        _complete(response, (*self._of_all, *_OF_PAGES, ("Content-Security-Policy", policy)))
        if asked.endpoint != "static" and asked.method == "GET":
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _complete(response: Response, headers: tuple[tuple[str, str], ...]) -> None:
    """Add the headers that the view has not set itself."""
    there = {name.lower() for name, _ in response.headers}
    response.headers.extend([one for one in headers if one[0].lower() not in there])


def nonce() -> str:
    """The nonce of this response's scripts and styles."""
    made: str = g.setdefault("nonce", "") or secrets.token_urlsafe(16)
    g.nonce = made
    return made


def _close_span(_: BaseException | None = None) -> None:
    call = g.get("call")
    if call is not None and call.span is not None:
        call.span.end()
