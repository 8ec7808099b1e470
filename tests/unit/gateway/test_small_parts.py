"""Limits, passwords, secrets, signatures, template-free values."""

from __future__ import annotations

import functools
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner

from services.cli import cli
from services.gateway.config import GatewayConfig
from services.gateway.identity.passwords import Passwords, check_new
from services.gateway.identity.secrets import mac
from services.gateway.identity.tokens import Issuer
from services.gateway.identity.user import User
from services.gateway.limits import RateLimit
from services.gateway.transcode.values import MAX_DEPTH, read_json
from services.gateway.web.cookies import Cookies
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.config import ConfigError, load
from services.kit.errors import InvalidArgument, ResourceExhausted, Unauthenticated
from services.kit.keys import KeySet, KeySetError, new_key_pair
from services.kit.outbound.signature import sign
from services.stack.home import StackError

USER = User("anna", "anna", "Anna", {"desk": frozenset({"agent"})})


def test_a_bucket_refills_with_time() -> None:
    now = [0.0]
    limit = RateLimit(burst=2, per_second=0.5, now=lambda: now[0])
    limit.take("a")
    limit.take("a")
    with pytest.raises(ResourceExhausted) as refused:
        limit.take("a")
    assert refused.value.retry_after == pytest.approx(2.0)
    limit.take("b")
    now[0] = 2.0
    limit.take("a")
    limit.give_back("a")
    limit.take("a")


def test_the_memory_of_a_limit_is_bounded() -> None:
    limit = RateLimit(burst=1, per_second=1, keys=3, now=lambda: 0.0)
    for name in "abcd":
        limit.take(name)
    limit.take("a")
    with pytest.raises(ResourceExhausted):
        limit.take("d")


def test_passwords_are_hashed_and_compared() -> None:
    passwords = Passwords()
    stored = passwords.hash("correct horse battery staple")
    assert passwords.verify(stored, "correct horse battery staple")
    assert not passwords.verify(stored, "correct horse battery stapl")
    assert not passwords.verify(None, "nobody has this password")
    assert not passwords.verify("no hash at all", "x")
    assert not passwords.outdated(stored)


def test_the_same_letters_typed_differently_are_the_same_password() -> None:
    passwords = Passwords()
    assert passwords.verify(passwords.hash("cafe\u0301 au lait au lit"), "caf\u00e9 au lait au lit")


@pytest.mark.parametrize("password", ["anna-anna-anna", "kefu1234567890", "aaaaaaaaaaaaaaaa"])
def test_obvious_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidArgument):
        check_new(password, user_name="anna", display_name="Anna")


@pytest.mark.parametrize("password", ["correct horse battery staple", "我的密码是一句很长的话呢", "tR0ub4dor&3-extra"])
def test_long_passwords_need_no_composition(password: str) -> None:
    check_new(password, user_name="anna", display_name="Anna")


def test_codes_of_different_uses_and_splits_differ() -> None:
    assert len({mac("k", "a", "xy"), mac("k", "b", "xy"), mac("k", "a", "x", "y"), mac("l", "a", "xy")}) == 4


def test_the_signature_of_the_standards_own_example() -> None:
    """The example of the Standard Webhooks specification and its reference libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_depth_is_bounded_exactly() -> None:
    read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(InvalidArgument):
        read_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_tokens_are_kept_for_minutes_and_rotate_with_the_key_files(tmp_path: Path) -> None:
    new_key_pair(tmp_path, "2026-01")
    now = [1_000_000.0]
    issuer = Issuer(tmp_path, now=lambda: now[0], monotonic=lambda: now[0])
    first = issuer.person(USER)
    assert issuer.person(USER) == first
    now[0] += 250
    second = issuer.person(USER)
    assert second != first
    new_key_pair(tmp_path, "2026-02")
    now[0] += 31
    third = issuer.person(USER)
    assert jwt.get_unverified_header(second)["kid"] == "2026-01"
    assert jwt.get_unverified_header(third)["kid"] in {"2026-01", "2026-02"}
    now[0] += 250
    assert jwt.get_unverified_header(issuer.person(USER))["kid"] == "2026-02"
    assert {key["kid"] for key in issuer.jwks()["keys"]} == {"2026-01", "2026-02"}


def test_public_keys_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    private.mkdir()
    new_key_pair(private, "k")
    (private / "public").rename(public)
    with pytest.raises(KeySetError, match="public"):
        Issuer(private)
    issuer = Issuer(private, public_keys=public)
    assert TokenVerifier(KeySet(public), Access({})).verify(issuer.person(USER)).roles("desk") == {"agent"}


def test_a_token_is_short_lived_and_names_the_roles(tmp_path: Path) -> None:
    new_key_pair(tmp_path, "k")
    now = [1_000_000.0]
    issuer = Issuer(tmp_path, now=lambda: now[0])
    verifier = TokenVerifier(KeySet(issuer.public_keys), Access({}), now=lambda: now[0])
    token = issuer.person(USER)
    assert verifier.verify(token).roles("desk") == {"agent"}
    now[0] += 306
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"KEFU_GATEWAY_SECRET": "short"}, "32 characters"),
        ({"KEFU_ENVIRONMENT": "prod"}, "https"),
        ({"KEFU_PUBLIC_URL": "ftp://x"}, "http://"),
        ({"KEFU_TARGETS": "intake"}, "service=host:port"),
        ({"KEFU_OIDC_ISSUER": "https://idp.example"}, "KEFU_OIDC_CLIENT_ID"),
        ({"KEFU_GATEWAY_THREADS": "0"}, "below 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, str], words: str) -> None:
    given = {
        "KEFU_DATABASE_URL": "postgresql://x",
        "KEFU_GATEWAY_SECRET": "s" * 40,
        "KEFU_SIGNING_KEYS": "/keys",
        "KEFU_ENVIRONMENT": "local",
    }
    assert load(GatewayConfig, given).local
    with pytest.raises(ConfigError, match=words):
        load(GatewayConfig, given | changed)


def test_the_secret_before_is_accepted_and_signs_nothing_new(tmp_path: Path) -> None:
    def cookies(secret: str, old: str | None = None) -> Cookies:
        return Cookies(
            GatewayConfig(database="", secret=secret, old_secret=old, signing_keys=tmp_path, environment="test")
        )

    first, second = "a" * 32, "b" * 32
    visitor, value = cookies(first).new_visitor("desk")
    both = cookies(second, first)
    assert both.read_visitor("desk", value) == visitor
    assert both.read_visitor("mall", value) is None
    newer, signed = both.new_visitor("desk")
    assert cookies(second).read_visitor("desk", signed) == newer
    assert cookies(second).read_visitor("desk", value) is None
    assert cookies(first).read_visitor("desk", signed) is None


def test_a_signing_key_is_added_and_the_old_one_dropped(tmp_path: Path) -> None:
    new_key_pair(tmp_path, "local-1")
    issuer = Issuer(tmp_path)
    old = issuer.person(USER)
    run = functools.partial(CliRunner().invoke, cli, catch_exceptions=False)
    run(["rotate", "signing", "--folder", str(tmp_path)])
    new = Issuer(tmp_path).person(USER)
    kid = jwt.get_unverified_header(new)["kid"]
    assert kid > "local-1"
    verifier = TokenVerifier(KeySet(issuer.public_keys), Access({}))
    assert [verifier.verify(token).subject for token in (old, new)] == [USER.subject] * 2
    run(["rotate", "signing", "--folder", str(tmp_path), "--drop", "local-1"])
    later = TokenVerifier(KeySet(issuer.public_keys), Access({}))
    assert later.verify(new).subject == USER.subject
    with pytest.raises(Unauthenticated):
        later.verify(old)
    with pytest.raises(StackError, match="one must stay"):
        run(["rotate", "signing", "--folder", str(tmp_path), "--drop", kid])
