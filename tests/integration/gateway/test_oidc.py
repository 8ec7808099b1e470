"""Sign-in by OpenID Connect against a small real identity provider: discovery, code, PKCE, nonce, state, keys."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from werkzeug.test import TestResponse

from services.gateway.app import Parts, create_app
from services.gateway.config import OidcConfig
from tests.integration.gateway.conftest import HOST, PASSWORD, SITE, new_id
from tests.integration.gateway.test_identity import ADMIN

CLIENT, SECRET = "kefu", "idp-secret"


@dataclass
class Provider:
    """An identity provider. `claims` and `sign` may be changed to misbehave."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, location: str) -> str:
        """What the provider's sign-in page does: remember the request, send the browser back with a code."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["client_id"] == CLIENT
        code = new_id("code")
        self.codes[code] = query
        back = urlsplit(query["redirect_uri"])
        return f"{back.path}?code={code}&state={query['state']}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The token endpoint: each code once, by who can show the verifier."""
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "s-1", "nonce": asked["nonce"], "iat": now, "exp": now + 60}
        signing: Any = self.key if self.algorithm == "RS256" else "" if self.algorithm == "none" else SECRET * 4
        encoded = jwt.encode({**claims, **self.claims}, signing, algorithm=self.algorithm, headers={"kid": "k"})
        return 200, {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": encoded}

    def get(self, path: str) -> dict[str, Any]:
        """Discovery and keys."""
        if path == "/jwks":
            public: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return {"keys": [{**public, "kid": "k", "alg": "RS256", "use": "sig"}]}
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, made.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(*made.token({name: values[0] for name, values in parse_qs(body).items()}))

        def answer(self, status: int, document: dict[str, Any]) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


class Visit:
    """A browser that goes the whole way."""

    def __init__(self, parts: Parts, provider: Provider) -> None:
        config = replace(parts.config, oidc=OidcConfig(issuer=provider.issuer, client_id=CLIENT, client_secret=SECRET))
        self.provider = provider
        self.client = create_app(replace(parts, config=config)).test_client()

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"Host": HOST})

    def start(self, then: str = "/") -> str:
        """Begin, and let the provider answer: the callback's path."""
        reply = self.get(f"/oidc/start?next={then}")
        assert reply.status_code == 302
        return self.provider.authorize(reply.headers["Location"])

    def signed_in(self) -> bool:
        return self.get(f"/v1/sites/{SITE}/people").status_code == 200


@pytest.fixture
def visit(parts: Parts, provider: Provider) -> Visit:
    return Visit(parts, provider)


def invite(parts: Parts) -> str:
    """An invited account whose user name is an address."""
    name = f"{new_id('who')}@example.com"
    parts.people.invite(user_name=name, display_name="Who", roles={SITE: ["agent"]}, actor=ADMIN)
    return name


def test_an_invited_person_signs_in_and_is_known_again(parts: Parts, provider: Provider, visit: Visit) -> None:
    provider.claims = {"sub": new_id("sub"), "email": invite(parts), "email_verified": True}
    back = visit.get(visit.start("/desk"))
    assert back.status_code == 302
    assert back.headers["Location"] == "/desk"
    assert visit.signed_in()
    again = Visit(parts, provider)
    provider.claims |= {"email": "moved@example.com"}
    again.get(again.start())
    assert again.signed_in()


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email": "stranger@example.com"},
        {"nonce": "another"},
        {"aud": "another-client"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
    ],
    ids=["unverified", "not said", "stranger", "nonce", "audience", "issuer", "expired"],
)
def test_claims_that_do_not_hold_open_nothing(
    parts: Parts, provider: Provider, visit: Visit, claims: dict[str, Any]
) -> None:
    provider.claims = {"sub": new_id("sub"), "email": invite(parts), "email_verified": True} | claims
    reply = visit.get(visit.start())
    assert (reply.status_code, (reply.json or {})["reason"]) == (401, "SIGN_IN_FAILED")
    assert not visit.signed_in()


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_the_provider_did_not_sign_opens_nothing(
    parts: Parts, provider: Provider, visit: Visit, algorithm: str
) -> None:
    provider.claims = {"sub": new_id("sub"), "email": invite(parts), "email_verified": True}
    provider.algorithm = algorithm
    assert visit.get(visit.start()).status_code == 401
    assert not visit.signed_in()


def test_state_cookie_and_code_belong_together(parts: Parts, provider: Provider, visit: Visit) -> None:
    provider.claims = {"sub": new_id("sub"), "email": invite(parts), "email_verified": True}
    callback = visit.start()
    stranger = Visit(parts, provider)
    assert stranger.get(callback).status_code == 401
    code = callback.split("code=")[1].split("&")[0]
    assert visit.get(f"/oidc/callback?code={code}&state=guess").status_code == 401
    assert visit.get(callback).status_code == 302
    assert visit.get(callback).status_code == 401


def test_a_disabled_account_stays_out(parts: Parts, provider: Provider, visit: Visit) -> None:
    name = invite(parts)
    token = parts.people.reset(name.replace("@", "-").replace(".", "-"), actor=ADMIN)
    account = parts.people.set_password(token, PASSWORD).id
    parts.people.disable(account, actor=ADMIN)
    provider.claims = {"sub": new_id("sub"), "email": name, "email_verified": True}
    assert visit.get(visit.start()).status_code == 401


def test_afterwards_the_browser_stays_here(parts: Parts, provider: Provider, visit: Visit) -> None:
    provider.claims = {"sub": new_id("sub"), "email": invite(parts), "email_verified": True}
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example"):
        assert visit.get(visit.start(elsewhere)).headers["Location"] == "/"


def test_a_rotated_key_is_fetched(parts: Parts, provider: Provider, visit: Visit) -> None:
    provider.claims = {"sub": new_id("sub"), "email": invite(parts), "email_verified": True}
    visit.get(visit.start())
    provider.key = rsa.generate_private_key(65537, 2048)
    assert visit.get(visit.start()).status_code == 302


def test_a_provider_that_is_away_is_unavailable(parts: Parts, provider: Provider) -> None:
    provider.issuer = "http://127.0.0.1:1"
    assert Visit(parts, provider).get("/oidc/start").status_code == 503
