"""Sign-in, sessions, forms, people administration, service accounts: the whole way through HTTP."""

from __future__ import annotations

import re
import threading
from typing import Any

import jwt
import pytest
from flask import Flask, jsonify

from services.gateway.app import Parts, create_app
from services.gateway.console.gate import Gate
from services.gateway.identity.user import User
from services.kit.audit import seal, verify
from services.kit.errors import FailedPrecondition, InvalidArgument, KefuError, NotFound, PermissionDenied
from tests.integration.gateway.conftest import HOST, PASSWORD, SITE, Browser, new_id, token_of

ADMIN = User("admin", "admin", "Admin", {"*": frozenset({"admin"})})
MANAGER = User("manager", "manager", "Manager", {SITE: frozenset({"manager"})})
PEOPLE = f"/v1/sites/{SITE}/people"


def pages(gate: Gate) -> Any:
    """Bare pages over the gate: the console's own are tested in a browser."""
    from flask import Blueprint, request

    blueprint = Blueprint("bare", __name__)

    @blueprint.get("/token")
    def token() -> Any:
        person = gate.person()
        return jsonify(csrf=gate.csrf_token(), person=person.id if person else None)

    @blueprint.post("/sign-in")
    def sign_in() -> Any:
        return jsonify(person=gate.sign_in(request.form["name"], request.form["password"]).id)

    @blueprint.post("/sign-out")
    def sign_out() -> Any:
        gate.sign_out()
        return jsonify(done=True)

    return blueprint


@pytest.fixture
def app(parts: Parts) -> Flask:
    return create_app(parts, pages=pages)


@pytest.fixture
def visit(app: Flask) -> Browser:
    # An address of its own, so that tests do not share its rate limit.
    return Browser(app.test_client(), address=f"203.0.113.{new_id()}")


def csrf(visit: Browser) -> str:
    return str(visit.get("/token").json["csrf"])


def sign_in(visit: Browser, name: str, password: str = PASSWORD) -> Any:
    return visit.form("/sign-in", name=name, password=password, csrf_token=csrf(visit))


def cookie(visit: Browser) -> str:
    found = visit.client.get_cookie("kefu_session", domain=HOST)
    return found.value if found is not None else ""


def invited(parts: Parts, *, roles: dict[str, list[str]] | None = None, actor: User = ADMIN) -> tuple[str, str]:
    """A new account with the usual password: (user name, id)."""
    name = new_id("who")
    token = parts.people.invite(user_name=name, display_name="Who", roles=roles or {SITE: ["agent"]}, actor=actor)
    return name, parts.people.set_password(token, PASSWORD).id


def test_sign_in_opens_a_session_that_calls_services(visit: Browser) -> None:
    assert sign_in(visit, "Agent").json == {"person": "agent"}
    assert visit.get(PEOPLE).status_code == 200
    assert visit.get("/token").json["person"] == "agent"
    header = visit.get("/v1/sites/mall-centre/people")
    assert header.status_code == 403


def test_the_session_cookie_is_guarded_and_new_at_every_sign_in(visit: Browser) -> None:
    first = sign_in(visit, "agent")
    set_cookie = next(one for one in first.headers.getlist("Set-Cookie") if one.startswith("kefu_session="))
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    before = cookie(visit)
    sign_in(visit, "agent")
    assert cookie(visit) != before
    stolen = Browser(visit.client.application.test_client())
    stolen.client.set_cookie("kefu_session", before, domain=HOST)
    assert stolen.get(PEOPLE).status_code == 401


def test_a_planted_session_id_is_never_taken_over(visit: Browser) -> None:
    visit.client.set_cookie("kefu_session", "planted", domain=HOST)
    assert sign_in(visit, "agent").status_code == 200
    assert cookie(visit) != "planted"


@pytest.mark.parametrize(("name", "password"), [("agent", "wrong"), ("nobody", PASSWORD), ("agent", ""), ("", "")])
def test_every_failed_sign_in_says_the_same(visit: Browser, name: str, password: str) -> None:
    reply = sign_in(visit, name, password)
    assert (reply.status_code, reply.json["reason"]) == (401, "SIGN_IN_FAILED")
    assert not cookie(visit)


def test_too_many_wrong_passwords_lock_the_account_for_a_while(app: Flask, parts: Parts) -> None:
    name, identity = invited(parts)
    for number in range(5):
        assert sign_in(Browser(app.test_client(), address=f"192.0.2.{number}"), name, "wrong").status_code == 401
    locked = next(one for one in parts.people.list(SITE, actor=ADMIN) if one.id == identity)
    assert locked.state == "LOCKED"
    right = sign_in(Browser(app.test_client(), address="192.0.2.99"), name)
    assert (right.status_code, right.json["reason"]) == (401, "SIGN_IN_FAILED")
    parts.runtime.run(
        parts.runtime.database.execute, "UPDATE accounts SET locked_until = now() WHERE id = $1", identity
    )
    again = sign_in(Browser(create_app(parts, pages=pages).test_client(), address="192.0.2.98"), name)
    assert again.status_code in (200, 429)


def test_guessing_from_one_address_is_slowed_down(visit: Browser) -> None:
    replies = [sign_in(visit, new_id("guess"), "wrong").status_code for _ in range(30)]
    assert 429 in replies


def test_a_form_without_its_token_or_from_elsewhere_is_refused(visit: Browser) -> None:
    assert visit.form("/sign-in", name="agent", password=PASSWORD).status_code == 403
    assert visit.form("/sign-in", name="agent", password=PASSWORD, csrf_token="f" * 64).status_code == 403
    sign_in(visit, "agent")
    body = {"state": "STATE_AVAILABLE"}
    assert visit.post(f"{PEOPLE}/agent:setPresence", body).status_code == 403
    token = csrf(visit)
    foreign = visit.post(f"{PEOPLE}/agent:setPresence", body, X_CSRF_Token=token, Origin="https://evil.example")
    assert foreign.status_code == 403
    assert visit.post(f"{PEOPLE}/agent:setPresence", body, X_CSRF_Token=token).status_code == 404


def test_a_token_of_one_session_does_not_fit_another(app: Flask, visit: Browser) -> None:
    sign_in(visit, "agent")
    other = Browser(app.test_client(), address="203.0.113.77")
    sign_in(other, "manager")
    assert other.post(f"{PEOPLE}/x:deactivate", X_CSRF_Token=csrf(visit)).status_code == 403


def test_sign_out_ends_the_session_on_the_server(visit: Browser) -> None:
    sign_in(visit, "agent")
    kept = cookie(visit)
    assert visit.form("/sign-out", csrf_token=csrf(visit)).status_code == 200
    visit.client.set_cookie("kefu_session", kept, domain=HOST)
    assert visit.get(PEOPLE).status_code == 401


def test_disabling_or_a_new_password_ends_every_session(app: Flask, parts: Parts, visit: Browser) -> None:
    name, identity = invited(parts)
    sign_in(visit, name)
    assert visit.get(PEOPLE).status_code == 200
    token = parts.people.reset(identity, actor=ADMIN)
    assert visit.get(PEOPLE).status_code == 200
    parts.people.set_password(token, "another long and good phrase")
    assert visit.get(PEOPLE).status_code == 401
    other = Browser(app.test_client(), address="203.0.113.50")
    assert sign_in(other, name, "another long and good phrase").status_code == 200
    parts.people.disable(identity, actor=ADMIN)
    assert other.get(PEOPLE).status_code == 401
    assert sign_in(other, name, "another long and good phrase").status_code == 401


def test_a_changed_role_holds_at_the_next_request(parts: Parts, visit: Browser) -> None:
    name, identity = invited(parts, roles={"mall-centre": ["agent"]})
    sign_in(visit, name)
    assert visit.get(PEOPLE).status_code == 403
    parts.people.grant(identity, site=SITE, roles=["agent"], actor=ADMIN)
    assert visit.get(PEOPLE).status_code == 200


def test_a_link_works_once_and_for_the_newest_only(parts: Parts) -> None:
    name = new_id("who")
    token = parts.people.invite(user_name=name, display_name="Who", roles={SITE: ["agent"]}, actor=MANAGER)
    assert parts.people.invited(token).state == "INVITED"
    newer = parts.people.reset(name, actor=MANAGER)
    with pytest.raises(NotFound):
        parts.people.set_password(token, PASSWORD)
    parts.people.set_password(newer, PASSWORD)
    with pytest.raises(NotFound):
        parts.people.set_password(newer, PASSWORD)


def test_an_expired_link_opens_nothing(parts: Parts) -> None:
    token = parts.people.invite(user_name=new_id("who"), display_name="Who", roles={SITE: ["agent"]}, actor=ADMIN)
    parts.runtime.run(parts.runtime.database.execute, "UPDATE one_time_links SET expires_at = now()")
    with pytest.raises(NotFound):
        parts.people.invited(token)


@pytest.mark.parametrize("password", ["short", "passwordpassword", "1234567890123456", "qwerty-qwerty-1", "x" * 129])
def test_a_weak_password_is_refused_and_the_link_stays(parts: Parts, password: str) -> None:
    token = parts.people.invite(user_name=new_id("who"), display_name="Who", roles={SITE: ["agent"]}, actor=ADMIN)
    with pytest.raises(InvalidArgument) as refused:
        parts.people.set_password(token, password)
    assert refused.value.fields[0].field == "password"
    assert parts.people.invited(token).state == "INVITED"


def test_nobody_gives_more_than_they_have(parts: Parts) -> None:
    for roles in ({SITE: ["admin"]}, {"mall-centre": ["agent"]}, {"*": ["agent"]}):
        with pytest.raises(PermissionDenied):
            parts.people.invite(user_name=new_id("who"), display_name="Who", roles=roles, actor=MANAGER)
    _, identity = invited(parts, roles={SITE: ["agent"], "mall-centre": ["agent"]})
    for forbidden in (
        lambda: parts.people.grant(identity, site=SITE, roles=["admin"], actor=MANAGER),
        lambda: parts.people.disable(identity, actor=MANAGER),
        lambda: parts.people.reset("admin", actor=MANAGER),
        lambda: parts.people.list("mall-centre", actor=MANAGER),
    ):
        with pytest.raises(PermissionDenied):
            forbidden()


def test_the_last_admin_stays(parts: Parts) -> None:
    with pytest.raises(FailedPrecondition):
        parts.people.grant("admin", site="*", roles=["manager"], actor=ADMIN)
    with pytest.raises(FailedPrecondition):
        parts.people.disable("admin", actor=ADMIN)


def test_two_admins_cannot_remove_each_other_at_once(parts: Parts) -> None:
    _, second = invited(parts, roles={"*": ["admin"]})
    other = User(second, second, second, {"*": frozenset({"admin"})})
    outcomes: list[str] = []

    def remove(victim: str, actor: User) -> None:
        try:
            parts.people.grant(victim, site="*", roles=[], actor=actor)
            outcomes.append("removed")
        except KefuError as error:
            outcomes.append(error.reason_name)

    threads = [
        threading.Thread(target=remove, args=("admin", other)),
        threading.Thread(target=remove, args=(second, ADMIN)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parts.people.grant("admin", site="*", roles=["admin"], actor=ADMIN)
    parts.people.disable(second, actor=ADMIN)
    assert sorted(outcomes) == ["GUARD_NOT_MET", "removed"]


def test_every_change_is_in_the_audit_log_and_no_password_is(parts: Parts) -> None:
    name, identity = invited(parts)
    parts.people.grant(identity, site=SITE, roles=["host"], actor=ADMIN)
    parts.people.disable(identity, actor=ADMIN)
    rows = parts.runtime.run(
        parts.runtime.database.fetch,
        "SELECT actor, action, detail FROM kefu_audit WHERE object = $1 ORDER BY number",
        f"accounts/{identity}",
    )
    assert [row["action"] for row in rows] == ["account_invited", "password_set", "roles_set", "account_disabled"]
    assert not any(PASSWORD in row["detail"] for row in rows)
    while parts.runtime.run(seal, parts.runtime.database):
        pass
    assert parts.runtime.run(verify, parts.runtime.database) is None
    assert name == identity


def test_nothing_in_the_database_opens_a_session_or_a_link(parts: Parts, visit: Browser) -> None:
    sign_in(visit, "agent")
    dump = parts.runtime.run(parts.runtime.database.fetch, "SELECT encode(id_hash, 'hex') AS h FROM sessions")
    assert cookie(visit)
    assert all(cookie(visit) not in row["h"] for row in dump)
    stored = parts.runtime.run(parts.runtime.database.fetchval, "SELECT password_hash FROM accounts WHERE id = 'agent'")
    assert stored.startswith("$argon2id$")


def test_headers_keep_a_page_to_itself(visit: Browser) -> None:
    headers = visit.get("/docs").headers
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    nonce = re.search(r"script-src 'self' 'nonce-([^']+)'", policy)
    assert nonce is not None
    assert nonce[1] != re.search(r"'nonce-([^']+)'", visit.get("/docs").headers["Content-Security-Policy"])[1]  # type: ignore[index]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_foreign_host_header_is_refused(visit: Browser) -> None:
    assert visit.get("/docs", Host="evil.example").status_code == 400
    assert visit.get("/healthz", Host="10.1.2.3:8080").status_code == 200


def test_a_service_account_gets_a_token_that_services_take(visit: Browser) -> None:
    form = {"grant_type": "client_credentials", "client_id": "shop-frontend", "client_secret": "shop-secret"}
    reply = visit.form("/oauth/token", **form)
    assert reply.status_code == 200
    assert reply.json["expires_in"] <= 300
    visit.token = reply.json["access_token"]
    assert visit.get(PEOPLE).status_code == 200
    assert visit.get("/v1/sites/mall-centre/people").status_code == 403
    visit.token = ""
    wrong = visit.form("/oauth/token", **form | {"client_secret": "guess"})
    assert (wrong.status_code, wrong.json["reason"]) == (401, "SIGN_IN_FAILED")


def test_a_rotated_secret_leaves_time_for_the_change(parts: Parts, admin: Browser) -> None:
    account, key = new_id("prog"), new_id("key")
    body = {"clientId": account, "serviceAccount": {"title": "P", "roles": [{"site": SITE, "roles": ["frontend"]}]}}
    first = admin.post("/v1/serviceAccounts", body, Idempotency_Key=key)
    assert first.status_code == 200, first.text
    assert admin.post("/v1/serviceAccounts", body, Idempotency_Key=key).json == {**first.json, "secret": ""}
    assert admin.post("/v1/serviceAccounts", body).status_code == 409
    second = admin.post(f"/v1/serviceAccounts/{account}:rotateSecret").json["secret"]
    for secret in (first.json["secret"], second):
        assert parts.service_accounts.authenticate(account, secret).id == account
    third = admin.post(f"/v1/serviceAccounts/{account}:rotateSecret").json["secret"]
    with pytest.raises(KefuError):
        parts.service_accounts.authenticate(account, first.json["secret"])
    assert admin.post(f"/v1/serviceAccounts/{account}:disable").json["active"] is False
    with pytest.raises(KefuError):
        parts.service_accounts.authenticate(account, third)
    listed = admin.get("/v1/serviceAccounts?pageSize=200")
    assert account in [one["clientId"] for one in listed.json["serviceAccounts"]]
    assert third not in listed.text


def test_service_accounts_are_made_by_admins_with_known_roles(parts: Parts, admin: Browser) -> None:
    body = {"clientId": new_id(), "serviceAccount": {"title": "P", "roles": [{"site": SITE, "roles": ["wizard"]}]}}
    assert admin.post("/v1/serviceAccounts", body).json["fields"][0]["field"] == "service_account.roles"
    admin.token = token_of(parts, "manager", dict(MANAGER.roles))
    assert admin.post("/v1/serviceAccounts", body).status_code == 403


def test_simulated_traffic_is_switched_by_admins(parts: Parts, admin: Browser) -> None:
    assert admin.post("/v1/simulation:switch", {"running": False}).json == {"running": False, "allowed": True}
    assert admin.get("/v1/simulation").json["running"] is False
    assert admin.post("/v1/simulation:switch", {"running": True}).json["running"] is True
    admin.token = token_of(parts, "agent", {SITE: frozenset({"agent"})})
    assert admin.get("/v1/simulation").status_code == 200
    assert admin.post("/v1/simulation:switch", {"running": False}).status_code == 403


def test_a_frontend_gets_channel_tokens_for_its_own_site_only(visit: Browser) -> None:
    form = {"grant_type": "client_credentials", "client_id": "shop-frontend", "client_secret": "shop-secret"}
    visit.token = visit.form("/oauth/token", **form).json["access_token"]
    asked = {"site": SITE, "channel": "WEB", "customer": "c-1", "tier": "VIP", "name": "王小明"}
    reply = visit.post("/oauth/channelToken", asked)
    assert reply.status_code == 200, reply.text
    claims = jwt.decode(reply.json["access_token"], options={"verify_signature": False})
    assert (claims["kind"], claims["site"], claims["customer"], claims["tier"]) == ("CUSTOMER", SITE, "c-1", "VIP")
    assert "sites" not in claims
    assert visit.post("/oauth/channelToken", asked | {"site": "mall-centre"}).status_code == 403
    assert visit.post("/oauth/channelToken", asked | {"customer": "a b"}).status_code == 400
    assert visit.post("/oauth/channelToken", asked | {"roles": ["admin"]}).status_code == 400
    visit.token = reply.json["access_token"]
    assert visit.post("/oauth/channelToken", asked).status_code == 403
    assert visit.get(PEOPLE).status_code == 403


def test_a_visitor_keeps_their_id_and_only_at_open_sites(visit: Browser) -> None:
    first = visit.post(f"/chat/{SITE}/token")
    second = visit.post(f"/chat/{SITE}/token")
    assert first.status_code == 200
    assert first.headers["X-Kefu-Customer"] == second.headers["X-Kefu-Customer"]
    assert visit.post("/chat/mall-centre/token").status_code == 404
    name = f"kefu_visitor_{SITE}"
    visit.client.set_cookie(name, "someone-else.0000", domain=HOST)
    assert visit.post(f"/chat/{SITE}/token").headers["X-Kefu-Customer"] != "someone-else"


def test_another_origin_may_call_only_for_its_own_account(parts: Parts, visit: Browser) -> None:
    shop, evil = "https://shop.example", "https://evil.example"
    allowed = visit.call("OPTIONS", PEOPLE, Origin=shop, Access_Control_Request_Method="GET")
    refused = visit.call("OPTIONS", PEOPLE, Origin=evil, Access_Control_Request_Method="GET")
    assert allowed.headers["Access-Control-Allow-Origin"] == shop
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    visit.token = parts.issuer.service("shop-frontend", {SITE: frozenset({"frontend"})})
    assert visit.get(PEOPLE, Origin=shop).headers["Access-Control-Allow-Origin"] == shop
    visit.token = parts.issuer.service("somebody-else", {SITE: frozenset({"frontend"})})
    assert "Access-Control-Allow-Origin" not in visit.get(PEOPLE, Origin=shop).headers


def test_the_published_keys_verify_our_tokens(parts: Parts, visit: Browser) -> None:
    published = visit.get("/.well-known/jwks.json").json
    token = parts.issuer.person(ADMIN)
    key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["EdDSA"])["sub"] == "admin"
    assert "d" not in published["keys"][0]
