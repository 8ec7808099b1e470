"""Sign-in by OpenID Connect: authorization code with PKCE, state and nonce, by Authlib.

Nobody gets an account by signing in: the subject must be linked to an account, or its verified address must be the user
name of an invited one, which is linked then.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from flask import Blueprint, g, redirect, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.config import GatewayConfig
from services.gateway.identity import store
from services.gateway.identity.secrets import equal, new_secret
from services.gateway.identity.sessions import Sessions, sign_in_failed
from services.gateway.identity.user import User
from services.gateway.limits import RateLimit
from services.gateway.runtime import Runtime
from services.gateway.web.cookies import Cookies
from services.gateway.web.guard import Guard
from services.kit.audit import Entry
from services.kit.db import Database
from services.kit.errors import KefuError, NotFound, Unavailable

_FLOW_SECONDS: Final = 600
_LONGEST_TOKEN: Final = 16_384
_ANSWER_SECONDS: Final = 5.0
# Signatures by a key of the provider only: no "none", no shared secrets.
_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_LEEWAY_SECONDS: Final = 30

Claims = dict[str, Any]


class Provider:
    """The company's identity provider, asked for its endpoints and keys when they are needed."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self.redirect_uri = f"{config.origin}/oidc/callback"

    def start(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser."""
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
            )
        return str(url)

    def finish(self, code: str, nonce: str, verifier: str) -> Claims:
        """The checked claims of the ID token for a code. Raises Unauthenticated or Unavailable."""
        try:
            with self._session() as session:
                token = session.fetch_token(
                    self._endpoint("token_endpoint"), code=code, code_verifier=verifier, timeout=_ANSWER_SECONDS
                )
            encoded = str(token.get("id_token", ""))
            if len(encoded) > _LONGEST_TOKEN:
                raise sign_in_failed()
            return self._claims(encoded, nonce)
        except (OAuthError, JoseError, ValueError, KeyError) as fault:
            raise sign_in_failed() from fault
        except OSError as fault:  # requests' own errors are OSErrors
            raise Unavailable(metadata={"part": "identity provider"}) from fault

    def _claims(self, encoded: str, nonce: str) -> Claims:
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._config.oidc.issuer or ""},
            aud={"essential": True, "value": self._config.oidc.client_id or ""},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            token = jwt.decode(encoded, self._jwks(fresh=False), algorithms=_ALGORITHMS)
        except (JoseError, ValueError):  # the provider may have rotated its keys since we read them
            token = jwt.decode(encoded, self._jwks(fresh=True), algorithms=_ALGORITHMS)
        rules.validate(token.claims)
        return token.claims

    def _session(self) -> OAuth2Session:
        oidc = self._config.oidc
        return OAuth2Session(
            oidc.client_id,
            oidc.client_secret,
            scope="openid email profile",
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )

    def _endpoint(self, name: str) -> str:
        if not self._metadata:
            issuer = (self._config.oidc.issuer or "").rstrip("/")
            found = self._get(f"{issuer}/.well-known/openid-configuration")
            if found.get("issuer") != self._config.oidc.issuer:
                raise Unavailable(metadata={"part": "identity provider"})
            self._metadata = found
        return str(self._metadata[name])

    def _jwks(self, *, fresh: bool) -> KeySet:
        if self._keys is None or fresh:
            self._keys = KeySet.import_key_set({"keys": self._get(self._endpoint("jwks_uri"))["keys"]})
        return self._keys

    def _get(self, url: str) -> dict[str, Any]:
        import requests

        try:
            answer = requests.get(url, timeout=_ANSWER_SECONDS, allow_redirects=False)
            answer.raise_for_status()
            document: dict[str, Any] = answer.json()
        except (OSError, ValueError) as fault:
            raise Unavailable(metadata={"part": "identity provider"}) from fault
        return document


def oidc_blueprint(
    config: GatewayConfig, runtime: Runtime, sessions: Sessions, guard: Guard, cookies: Cookies
) -> Blueprint:
    """/oidc/start and /oidc/callback; both answer NOT_FOUND without a configured provider."""
    blueprint = Blueprint("oidc", __name__)
    provider = Provider(config)
    flows = URLSafeTimedSerializer([*reversed(config.secrets)], salt="oidc-flow")  # signs with the last
    limit = RateLimit(burst=20, per_second=0.5)
    cookie = f"{cookies.visit}_oidc"

    def start() -> AnyResponse:
        _require(config)
        limit.take(request.remote_addr or "")
        flow = {
            "state": new_secret(),
            "nonce": new_secret(),
            "verifier": new_secret() + new_secret(),
            "next": _local_path(request.args.get("next", "/")),
        }
        response = redirect(provider.start(flow["state"], flow["nonce"], flow["verifier"]), 302)
        cookies.set(response, cookie, flows.dumps(flow), seconds=_FLOW_SECONDS)
        return response

    def callback() -> AnyResponse:
        _require(config)
        limit.take(request.remote_addr or "")
        try:
            flow = flows.loads(request.cookies.get(cookie, ""), max_age=_FLOW_SECONDS)
        except BadSignature as fault:
            raise sign_in_failed() from fault
        if not equal(request.args.get("state", ""), flow["state"]) or "code" not in request.args:
            raise sign_in_failed()
        claims = provider.finish(request.args["code"], flow["nonce"], flow["verifier"])
        user = runtime.run(_find, runtime.database, str(config.oidc.issuer), claims)
        guard.signed_in(sessions.open(user, how="oidc", old_session=g.session), user)
        response = redirect(flow["next"], 302)
        cookies.clear(response, cookie)
        return response

    blueprint.add_url_rule("/oidc/start", view_func=start)
    blueprint.add_url_rule("/oidc/callback", view_func=callback)
    return blueprint


def _require(config: GatewayConfig) -> None:
    if not config.oidc.issuer:
        error: KefuError = NotFound(metadata={"name": "oidc"})
        raise error


def _local_path(path: str) -> str:
    """Where to go afterwards: a path of ours, never another site."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if safe else "/"


async def _find(database: Database, issuer: str, claims: Claims) -> User:
    address = str(claims.get("email", "")).casefold() if claims.get("email_verified") is True else ""
    known = await store.find_by_oidc(database, issuer, str(claims["sub"]), address)
    if known is None or not known.active:
        raise sign_in_failed()
    async with database.transaction() as tx:
        await store.link_oidc(tx, known.user.subject, issuer, str(claims["sub"]))
        tx.audit(Entry("*", known.user.subject, "oidc_confirmed", f"accounts/{known.user.subject}"))
    return known.user
