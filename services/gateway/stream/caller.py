"""Who listens: by bearer or channel token, by the console's session cookie, or as the visitor of a chat page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from services.gateway.config import GatewayConfig
from services.gateway.identity import store
from services.gateway.identity.secrets import digest
from services.gateway.identity.tokens import Issuer
from services.gateway.web.cookies import Cookies
from services.gateway.web.visitors import CHANNEL
from services.kit.access import Principal
from services.kit.auth import TokenVerifier
from services.kit.db import Database
from services.kit.errors import Unauthenticated, choose_locale


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal of a stream, the token to pass on, and how to ask whether they still may listen."""

    principal: Principal
    token: str
    session: bytes = b""


class Callers:
    """Finds the caller of a request, and asks again while the stream is open."""

    def __init__(
        self,
        config: GatewayConfig,
        database: Database,
        issuer: Issuer,
        verifier: TokenVerifier,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._database = database
        self._issuer = issuer
        self._verifier = verifier
        self._cookies = Cookies(config)
        self._now = now

    async def of(self, request: Request, site: str) -> Caller:
        """The caller; raises Unauthenticated."""
        authorization = request.headers.get("authorization", "")
        if authorization.startswith("Bearer "):
            return self._by_token(authorization[7:].strip())
        if request.query_params.get("as") == "visitor":
            return self._visitor(request, site)
        cookie = request.cookies.get(self._cookies.session, "")
        if not cookie or len(cookie) > 100:
            raise Unauthenticated
        return await self._by_session(digest(cookie))

    async def again(self, caller: Caller) -> Caller:
        """The caller as of now; raises Unauthenticated once the session ended or the token expired."""
        if caller.session:
            return await self._by_session(caller.session)
        if float(caller.principal.claims.get("exp", 0)) < self._now():
            raise Unauthenticated
        return caller

    async def _by_session(self, session: bytes) -> Caller:
        user = await store.find_session(self._database, session, self._config.session_idle_seconds)
        if user is None:
            raise Unauthenticated
        token = self._issuer.person(user)
        return Caller(self._verifier.verify(token), token, session)

    def _by_token(self, token: str) -> Caller:
        return Caller(self._verifier.verify(token), token)

    def _visitor(self, request: Request, site: str) -> Caller:
        visitor = self._cookies.read_visitor(site, request.cookies.get(self._cookies.visitor(site)))
        if visitor is None:
            raise Unauthenticated
        locale = choose_locale(request.headers.get("accept-language", ""))
        token = self._issuer.channel(site=site, channel=CHANNEL, customer=visitor, locale=locale)
        return Caller(self._verifier.verify(token), token)
