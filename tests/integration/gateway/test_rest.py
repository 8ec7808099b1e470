"""REST in front of the real staffing service: every kind of binding, and every kind of bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.gateway.app import Parts, create_app
from services.gateway.config import GatewayConfig
from services.gateway.upstream import Upstream, targets
from services.kit.client.settings import CallsConfig
from tests.integration.gateway.conftest import SITE, Browser, new_id, token_of

PEOPLE = f"/v1/sites/{SITE}/people"


def person(**fields: Any) -> dict[str, Any]:
    return {"displayName": "王芳", "grade": "GRADE_SENIOR", "skills": ["PRESALES"], "capacity": 5, **fields}


def make(admin: Browser, **fields: Any) -> dict[str, Any]:
    made = admin.post(f"{PEOPLE}?personId={new_id()}", person(**fields))
    assert made.status_code == 200, made.text
    document: dict[str, Any] = made.json
    return document


def test_a_body_field_and_query_parameters_make_the_request(admin: Browser) -> None:
    made = make(admin)
    assert made["displayName"] == "王芳"
    assert made["grade"] == "GRADE_SENIOR"
    assert made["active"] is True
    read = admin.get(f"/v1/{made['name']}")
    assert read.status_code == 200
    assert read.json == made


def test_lists_take_repeated_enum_and_boolean_parameters(admin: Browser) -> None:
    made = make(admin)
    names = [made["name"]]
    admin.post(f"/v1/{made['name']}:deactivate")
    shown = admin.get(f"{PEOPLE}?pageSize=500&showInactive=true")
    hidden = admin.get(f"{PEOPLE}?page_size=500&show_inactive=false")
    offline = admin.get(f"{PEOPLE}?presenceStates=STATE_OFFLINE&presenceStates=2&pageSize=500&showInactive=true")
    assert set(names) <= {one["name"] for one in shown.json["people"]}
    assert not set(names) & {one["name"] for one in hidden.json["people"]}
    assert set(names) <= {one["name"] for one in offline.json["people"]}


def test_a_custom_verb_is_part_of_the_path(admin: Browser) -> None:
    made = make(admin)
    reply = admin.post(f"/v1/{made['name']}:setPresence", {"state": "STATE_AVAILABLE"})
    assert reply.status_code == 200
    assert reply.json["state"] == "STATE_AVAILABLE"


def test_patch_without_a_mask_changes_what_the_body_names(admin: Browser) -> None:
    made = make(admin)
    body = {"displayName": "李雷", "grade": "GRADE_JUNIOR", "capacity": 9}
    changed = admin.call("PATCH", f"/v1/{made['name']}", body)
    assert changed.status_code == 200, changed.text
    assert {name: changed.json[name] for name in body} == body
    assert changed.json["skills"] == ["PRESALES"]


def test_patch_with_a_mask_changes_only_that(admin: Browser) -> None:
    made = make(admin)
    changed = admin.call("PATCH", f"/v1/{made['name']}?updateMask=capacity", person(capacity=7, displayName="别人"))
    assert changed.json["capacity"] == 7
    assert changed.json["displayName"] == "王芳"


def test_an_etag_guards_a_change(admin: Browser) -> None:
    made = make(admin)
    read = admin.get(f"/v1/{made['name']}")
    etag = read.headers["ETag"]
    assert admin.get(f"/v1/{made['name']}", If_None_Match=etag).status_code == 304
    assert admin.call("PATCH", f"/v1/{made['name']}", person(capacity=2), If_Match=etag).status_code == 200
    late = admin.call("PATCH", f"/v1/{made['name']}", person(capacity=3), If_Match=etag)
    assert late.status_code == 412
    assert late.json["reason"] == "VERSION_CONFLICT"
    assert admin.get(f"/v1/{made['name']}").json["capacity"] == 2


def test_a_repeated_idempotency_key_does_nothing_twice(admin: Browser) -> None:
    path, key = f"{PEOPLE}?personId={new_id()}", new_id("key")
    first = admin.post(path, person(), Idempotency_Key=key)
    again = admin.post(path, person(), Idempotency_Key=key)
    other = admin.post(path, person(capacity=6), Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json == again.json
    assert other.status_code == 400
    assert other.json["reason"] == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"{PEOPLE}?personId=x1", {**person(), "shoeSize": 43}, "person.shoeSize"),
        (f"{PEOPLE}?personId=x1", {**person(), "grade": "GRADE_GOD"}, "person.grade"),
        (f"{PEOPLE}?personId=x1", {**person(), "capacity": "many"}, "person.capacity"),
        (f"{PEOPLE}?personId=x1", {**person(), "capacity": 51}, "person.capacity"),
        (f"{PEOPLE}?personId=x1", {**person(), "skills": "PRESALES"}, "person.skills"),
        (f"{PEOPLE}?personId=NOT%20AN%20ID", person(), "person_id"),
        (f"{PEOPLE}?personId=x1&color=red", person(), "color"),
        (f"{PEOPLE}?personId=x1&personId=x2", person(), "personId"),
        (f"{PEOPLE}?personId=x1&person.capacity=3", person(), "person.capacity"),
        (f"{PEOPLE}?personId=x1&parent=sites%2Fother", person(), "parent"),
    ],
)
def test_a_bad_field_is_named(admin: Browser, path: str, body: dict[str, Any], field: str) -> None:
    reply = admin.post(path, body)
    assert reply.status_code == 400, reply.text
    assert reply.content_type == "application/problem+json"
    assert reply.json["reason"] == "INVALID_FIELD"
    assert [one["field"] for one in reply.json["fields"]] == [field]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"displayName": "\\u0000"}', "application/json", 400),
        (b'{"displayName": "\\ud800"}', "application/json", 400),
        (b'{"capacity": NaN}', "application/json", 400),
        (b'{"capacity": 1, "capacity": 2}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "application/json", 400),
        (b"displayName=x", "application/x-www-form-urlencoded", 400),
        (b"{}", "text/plain", 400),
        (b'{"displayName": "' + b"x" * 10_000_000 + b'"}', "application/json", 413),
    ],
    ids=[
        "cut",
        "array",
        "no utf-8",
        "nul",
        "surrogate",
        "nan",
        "twice",
        "deep list",
        "deep object",
        "form",
        "text",
        "10 MB",
    ],
)
def test_a_body_that_is_no_request_is_refused(admin: Browser, body: bytes, media_type: str, status: int) -> None:
    reply = admin.client.post(
        f"{PEOPLE}?personId={new_id()}",
        data=body,
        headers={"Host": "kefu.test", "Authorization": f"Bearer {admin.token}", "Content-Type": media_type},
    )
    assert reply.status_code == status, reply.text
    assert (reply.json or {})["reason"] in ("MALFORMED_REQUEST", "MESSAGE_TOO_LARGE")


def test_unknown_paths_and_verbs_are_told_apart(admin: Browser) -> None:
    assert admin.get("/v1/nothing/here").status_code == 404
    wrong = admin.call("DELETE", PEOPLE)
    assert wrong.status_code == 405
    assert wrong.headers["Allow"] == "GET, POST"


def test_what_is_missing_foreign_or_impossible_has_its_status(parts: Any, admin: Browser, browser: Browser) -> None:
    assert admin.get(f"{PEOPLE}/nobody").status_code == 404
    assert admin.post(f"{PEOPLE}?personId=twin", person()).status_code in (200, 409)
    assert admin.post(f"{PEOPLE}?personId=twin", person()).status_code == 409
    made = make(admin)
    admin.post(f"/v1/{made['name']}:deactivate")
    gone = admin.post(f"/v1/{made['name']}:setPresence", {"state": "STATE_AVAILABLE"})
    assert (gone.status_code, gone.json["reason"]) == (409, "WRONG_STATE")
    browser.token = token_of(parts, "a", {"mall-centre": frozenset({"agent"})})
    foreign = browser.get(f"{PEOPLE}/nobody")
    assert (foreign.status_code, foreign.json["reason"]) == (403, "PERMISSION_MISSING")


def test_errors_speak_the_callers_language(admin: Browser) -> None:
    english = admin.get(f"{PEOPLE}/nobody")
    chinese = admin.get(f"{PEOPLE}/nobody", Accept_Language="zh-CN,zh;q=0.9")
    assert english.headers["Content-Language"] == "en"
    assert "Check the name" in english.json["detail"]
    assert "请检查" in chinese.json["detail"]


def test_no_token_and_a_forged_token_are_unauthenticated(browser: Browser) -> None:
    assert browser.get(PEOPLE).status_code == 401
    browser.token = "abc.def.ghi"
    assert browser.get(PEOPLE).status_code == 401
    assert browser.post(f"{PEOPLE}?personId=x", person()).headers["WWW-Authenticate"].startswith("Bearer")


def test_a_service_that_is_away_is_unavailable(parts: Parts, gateway_config: GatewayConfig) -> None:
    away = replace(gateway_config, calls=CallsConfig(("staffing=127.0.0.1:1",)))
    app = create_app(replace(parts, upstream=Upstream(targets(away, parts.routes))))
    lonely = Browser(app.test_client(), token=token_of(parts, "admin", {"*": frozenset({"admin"})}))
    for path in (PEOPLE, f"/v1/sites/{SITE}/conversations"):
        reply = lonely.get(path)
        assert reply.status_code == 503, path
        assert int(reply.headers["Retry-After"]) >= 1


def test_a_conversation_from_channel_token_to_answer(parts: Parts, admin: Browser, browser: Browser) -> None:
    browser.token = parts.issuer.channel(site=SITE, channel="WEB", customer=new_id("c"))
    asked = {"conversation": {"channel": "CHANNEL_WEB", "subject": "退货"}, "firstMessage": "你好，怎么退货？"}
    made = browser.post(f"/v1/sites/{SITE}/conversations", asked)
    assert made.status_code == 200, made.text
    name = made.json["name"]
    listed = browser.get(f"/v1/{name}/messages")
    assert [one["text"] for one in listed.json["messages"]] == ["你好，怎么退货？"]
    other = replace(browser, token=parts.issuer.channel(site=SITE, channel="WEB", customer=new_id("c")))
    assert other.get(f"/v1/{name}").status_code in (403, 404)
    found = admin.get(f"/v1/sites/{SITE}/conversations?pageSize=200")
    assert name in [one["name"] for one in found.json["conversations"]]


def test_a_report_is_json_or_a_file_as_asked(admin: Browser) -> None:
    path = f"/v1/sites/{SITE}/serviceLevelReport:export?from=2026-01-01T00:00:00Z&to=2026-01-31T00:00:00Z"
    plain = admin.get(path)
    assert plain.status_code == 200, plain.text
    assert plain.json["mediaType"] == "text/csv"
    for reply in (admin.get(f"{path}&alt=media"), admin.get(path, Accept="text/csv")):
        assert reply.content_type.startswith("text/csv")
        assert reply.data.startswith("\ufeff".encode())
        assert "attachment" in reply.headers["Content-Disposition"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_streams_are_served_next_door(admin: Browser) -> None:
    reply = admin.get(f"/v1/sites/{SITE}:watch?cursor=5")
    assert reply.status_code == 307
    assert reply.headers["Location"] == f"http://127.0.0.1:9/v1/sites/{SITE}:watch?cursor=5"
