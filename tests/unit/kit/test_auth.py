"""Tokens: what is accepted, what is refused, what is remembered; keys that rotate; who may what."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.access import Access, AccessError, Kind, Principal
from services.kit.auth import OwnToken, TokenSigner, TokenVerifier
from services.kit.errors import Unauthenticated
from services.kit.keys import KeySet, KeySetError, new_key_pair
from services.kit.testing.grpc import TestKeys

ACCESS = Access.of({"roles": {"agent": ["conversations.reply", "cases.*"], "admin": ["*"]}})


class Time:
    def __init__(self) -> None:
        self.at = time.time()

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def keys(tmp_path: Path) -> TestKeys:
    return TestKeys(tmp_path)


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(claims)}."


def test_claims_become_the_principal(keys: TestKeys) -> None:
    token = keys.token("li.na", sites={"desk": ["agent"], "*": ["admin"]}, locale="en")
    principal = TokenVerifier(keys.keys, ACCESS).verify(token)
    assert (principal.subject, principal.kind) == ("li.na", Kind.PERSON)
    assert principal.roles("desk") == {"agent", "admin"}
    assert principal.roles("shop") == {"admin"}
    assert principal.claims["locale"] == "en"


def test_customers_token_holds_one_site(keys: TestKeys) -> None:
    token = keys.signer.sign("c-1", Kind.CUSTOMER, ttl=60, site="shop", channel="web", customer="c-1", tier="VIP")
    principal = TokenVerifier(keys.keys, ACCESS).verify(token)
    assert principal.sites == {"shop": frozenset({"customer"})}
    assert principal.claims["tier"] == "VIP"


def test_customer_cannot_name_roles(keys: TestKeys) -> None:
    token = keys.signer.sign("c-1", Kind.CUSTOMER, ttl=60, site="shop", sites={"*": ["admin"]})
    assert not TokenVerifier(keys.keys, ACCESS).verify(token).may("cases.close", "shop")


def bad_tokens(keys: TestKeys) -> dict[str, str]:
    now = time.time()
    claims = {"sub": "x", "kind": "PERSON", "sites": {"*": ["admin"]}, "exp": now + 60}
    good = keys.token()
    header, _, signature = good.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "root"}).encode()).decode().rstrip("=")
    stranger = TokenSigner("test", Ed25519PrivateKey.generate())
    public = next((keys.folder / "public").glob("*.pem")).read_bytes()
    # Key confusion: the public key as an HMAC secret, made by hand since PyJWT refuses to.
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"test"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return {
        "empty": "",
        "no JWT": "hello",
        "alg none": unsigned(claims, {"alg": "none", "kid": "test"}),
        "alg none, capitals": unsigned(claims, {"alg": "NonE", "kid": "test"}),
        "HMAC with the public key": f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}",
        "forged payload": f"{header}.{forged}.{signature}",
        "cut signature": good[:-4],
        "another's key under our kid": stranger.sign("x", Kind.PERSON, ttl=60, sites={"*": ["admin"]}),
        "unknown kid": TokenSigner("other", keys.signer._key).sign("x", Kind.PERSON, ttl=60, sites={}),
        "no kid": jwt.encode(claims, keys.signer._key, algorithm="EdDSA"),
        "expired": keys.token(ttl=-60),
        "no exp": jwt.encode({"sub": "x", "kind": "PERSON", "sites": {}}, keys.signer._key, "EdDSA", {"kid": "test"}),
        "no sub": jwt.encode(
            {"kind": "PERSON", "sites": {}, "exp": now + 60}, keys.signer._key, "EdDSA", {"kid": "test"}
        ),
        "no kind": jwt.encode({"sub": "x", "sites": {}, "exp": now + 60}, keys.signer._key, "EdDSA", {"kid": "test"}),
        "unknown kind": jwt.encode({**claims, "kind": "GOD"}, keys.signer._key, "EdDSA", {"kid": "test"}),
        "sites is a list": jwt.encode({**claims, "sites": ["*"]}, keys.signer._key, "EdDSA", {"kid": "test"}),
        "sites missing": keys.signer.sign("x", Kind.SERVICE, ttl=60),
        "customer without a site": keys.signer.sign("x", Kind.CUSTOMER, ttl=60),
        "exp is no number": jwt.encode({**claims, "exp": "soon"}, keys.signer._key, "EdDSA", {"kid": "test"}),
        "9 kB": "a" * 9000,
    }


def test_every_bad_token_is_refused_with_the_same_words(keys: TestKeys) -> None:
    verifier = TokenVerifier(keys.keys, ACCESS)
    for what, token in bad_tokens(keys).items():
        with pytest.raises(Unauthenticated) as caught:
            pytest.fail(f"accepted {what}: {verifier.verify(token)}")
        # Nobody learns which part of a forgery was right.
        assert caught.value.metadata == {}, what


def test_remembered_until_it_expires(keys: TestKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    now = Time()
    verifier = TokenVerifier(keys.keys, ACCESS, now=now)
    token = keys.token(ttl=300)
    first = verifier.verify(token)
    looked: list[str] = []
    find = keys.keys.find

    def looking(kid: str) -> object:
        looked.append(kid)
        return find(kid)

    monkeypatch.setattr(keys.keys, "find", looking)
    now.at += 290
    assert verifier.verify(token) is first
    assert looked == []
    now.at += 20
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


def test_memory_is_bounded_and_forgets_the_oldest(keys: TestKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = TokenVerifier(keys.keys, ACCESS, capacity=3)
    tokens = [keys.token(f"person-{number}") for number in range(4)]
    principals = [verifier.verify(token) for token in tokens]
    assert [verifier.verify(token) is known for token, known in zip(tokens[1:], principals[1:], strict=True)] == [
        True
    ] * 3
    again = verifier.verify(tokens[0])
    assert again is not principals[0]
    assert again == principals[0]


def test_keys_rotate_without_a_restart(tmp_path: Path) -> None:
    clock = Time()
    old = TokenSigner.from_pem("old", new_key_pair(tmp_path, "old").read_bytes())
    keys = KeySet(tmp_path / "public", now=clock)
    verifier = TokenVerifier(keys, ACCESS)
    token = old.sign("x", Kind.SERVICE, ttl=300, sites={})
    verifier.verify(token)
    new = TokenSigner.from_pem("new", new_key_pair(tmp_path, "new").read_bytes())
    fresh = new.sign("x", Kind.SERVICE, ttl=300, sites={})
    clock.at += 0.5
    with pytest.raises(Unauthenticated):  # an unknown kid makes us look, but at most once a second
        verifier.verify(fresh)
    clock.at += 1
    verifier.verify(fresh)
    verifier.verify(token)
    # Removing a key voids what it vouched for, remembered or not.
    (tmp_path / "public" / "old.pem").unlink()
    keys.reload()
    with pytest.raises(Unauthenticated):
        verifier.verify(token)
    verifier.verify(fresh)


def test_unreadable_keys_leave_the_old_ones_in_force(tmp_path: Path) -> None:
    signer = TokenSigner.from_pem("one", new_key_pair(tmp_path, "one").read_bytes())
    keys = KeySet(tmp_path / "public")
    (tmp_path / "public" / "two.pem").write_text("no key")
    keys.reload()
    assert keys.last_fault is not None
    assert str(tmp_path / "public") in keys.last_fault
    TokenVerifier(keys, ACCESS).verify(signer.sign("x", Kind.SERVICE, ttl=60, sites={}))


def test_jwks_file(tmp_path: Path, keys: TestKeys) -> None:
    public = keys.signer._key.public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).decode().rstrip("=")
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "test", "x": x}]}))
    assert TokenVerifier(KeySet(file), ACCESS).verify(keys.token("via-jwks")).subject == "via-jwks"


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', '{"keys": [{"kid": "a", "kty": "RSA"}]}'])
def test_bad_jwks_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(text)
    with pytest.raises(KeySetError, match=r"jwks\.json"):
        KeySet(file)


def test_private_key_is_for_its_owner_only(tmp_path: Path) -> None:
    assert new_key_pair(tmp_path, "k").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("permission", "site", "holds"),
    [
        ("conversations.reply", "desk", True),
        ("conversations.read", "desk", False),
        ("cases.close", "desk", True),
        ("cases.notes.read", "desk", True),
        ("cases", "desk", False),
        ("casesx.close", "desk", False),
        ("conversations.reply", "shop", False),
        ("conversations.reply", "*", False),
        ("anything.at.all", "mall", True),
    ],
)
def test_may(permission: str, site: str, holds: bool) -> None:
    sites = {"desk": frozenset({"agent"}), "mall": frozenset({"admin"})}
    principal = Principal("x", Kind.PERSON, sites, access=ACCESS)
    assert principal.may(permission, site) is holds
    assert principal.may(permission, site) is holds  # remembered


def test_role_held_everywhere() -> None:
    principal = Principal("x", Kind.SERVICE, {"*": frozenset({"agent"})}, access=ACCESS)
    assert principal.may("cases.close", "*")
    assert principal.may("cases.close", "desk")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (None, "expected a mapping"),
        ({"roles": {}}, "expected a mapping"),
        ({"roles": {"agent": ["Conversations.Reply"]}}, "role agent: 'Conversations.Reply'"),
        ({"roles": {"agent": "conversations.*.read"}}, "role agent"),
        ({"roles": {"agent": [3]}}, "role agent: 3"),
    ],
)
def test_access_file_is_checked(document: Any, fault: str) -> None:
    with pytest.raises(AccessError, match=fault):
        Access.of(document, origin="access.yaml")


def test_access_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text("roles:\n  agent: [conversations.reply, 'cases.*']\n")
    assert Access.read(file).permissions(["agent", "nobody"]) == {"conversations.reply", "cases.*"}


def test_own_token_is_renewed_at_half_its_life(keys: TestKeys) -> None:
    now = Time()
    verifier = TokenVerifier(keys.keys, Access.of({"roles": {"service": ["volumes.read"]}}), now=now)
    own = OwnToken(keys.signer, "staffing", ttl=100, now=now)
    first = own()
    principal = verifier.verify(first)
    assert (principal.subject, principal.kind, principal.may("volumes.read", "desk")) == ("staffing", "SERVICE", True)
    now.at += 49
    assert own() == first
    keys.signer._now = now
    now.at += 2
    assert own() != first
    verifier.verify(own())
