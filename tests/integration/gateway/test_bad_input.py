"""Bad input on every write that the gateway answers itself, through REST: a clear error, nothing stored."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from kefu.gateway.v1 import administration_service_pb2, webhook_service_pb2

from services.gateway.app import Parts
from services.kit.ids import Ids
from tests.integration import bad_input
from tests.integration.gateway.conftest import HOST, SITE, Browser, token_of

SERVICES = (
    administration_service_pb2.DESCRIPTOR.services_by_name["AdministrationService"],
    webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
)
WRITES = [method for service in SERVICES for method in bad_input.writes(service)]
OF_SITES = [method for method in WRITES if bad_input.binding(method)[1].startswith("sites/")]
WITH_BODY = [method for method in WRITES if method.name != "DeleteWebhook"]
FILLED: dict[str, dict[str, Any]] = {
    "CreateServiceAccount": {
        "client_id": "shop",
        "service_account": {
            "title": "Shop",
            "roles": [{"site": SITE, "roles": ["frontend"]}],
            "origins": ["https://shop.example"],
        },
    },
    "CreateWebhook": {"webhook": {"url": "https://hooks.example/kefu", "kinds": ["clock_changed"]}},
}


def of(methods: list[MethodDescriptor]) -> pytest.MarkDecorator:
    """One test for each method."""
    return pytest.mark.parametrize("method", methods, ids=lambda method: method.name)


def route(method: MethodDescriptor, message: Message) -> tuple[str, str, dict[str, Any]]:
    """Verb, path and JSON of a request, as the method's HTTP rule binds them."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    bound, _ = bad_input.binding(method)
    fields = MessageToDict(message, preserving_proto_field_name=True)
    path = re.sub(r"\{[^}]+\}", lambda _: quote(fields.pop(bound, ""), safe="/"), getattr(rule, verb))
    return verb.upper(), path, fields


def send(browser: Browser, method: MethodDescriptor, message: Message, **foreign: Any) -> Any:
    """Call a method; what has no place in a body goes into the query."""
    verb, path, fields = route(method, message)
    if verb == "DELETE":
        query = "&".join(f"{name}={quote(str(value))}" for name, value in (fields | foreign).items())
        return browser.call(verb, f"{path}?{query}")
    return browser.call(verb, path, fields | foreign)


def request(method: MethodDescriptor, site: str = SITE, ids: str = "") -> Message:
    """A valid request, by default about an object that is not there."""
    return bad_input.request(method, FILLED, site=site, ids=ids or Ids()())


def rows(parts: Parts) -> dict[str, int]:
    """What the gateway has stored."""
    return parts.runtime.run(bad_input.rows, parts.runtime.database)


def named(reply: Any) -> list[str]:
    """The fields that a refusal names."""
    assert (reply.status_code, reply.json["reason"]) == (400, "INVALID_FIELD"), reply.text
    return [one["field"] for one in reply.json["fields"]]


@of(WRITES)
def test_each_field_too_long_or_malformed_is_named(parts: Parts, admin: Browser, method: MethodDescriptor) -> None:
    before = rows(parts)
    bound, _ = bad_input.binding(method)
    judged = 0
    for path, bad in bad_input.faults(method, request(method)):
        if path == bound:
            continue  # that which fits no path finds no method; see below
        reply = send(admin, method, bad)
        if b"\0 no such form" in bad.SerializeToString():  # NUL is no text in JSON of ours, whatever its field
            assert (reply.status_code, reply.json["reason"]) == (400, "MALFORMED_REQUEST"), reply.text
        else:
            assert path in named(reply)
        judged += 1
    assert judged
    assert rows(parts) == before


@of([method for method in WRITES if bad_input.binding(method)[0]])
def test_a_name_of_too_long_ids_is_named(parts: Parts, admin: Browser, method: MethodDescriptor) -> None:
    before = rows(parts)
    too_long = request(method, site="x" * 5000, ids="x" * 5000)
    assert bad_input.binding(method)[0] in named(send(admin, method, too_long))
    assert rows(parts) == before


@of(WRITES)
def test_a_foreign_field_is_named(parts: Parts, admin: Browser, method: MethodDescriptor) -> None:
    before = rows(parts)
    assert named(send(admin, method, request(method), shoeSize=43)) == ["shoeSize"]
    assert rows(parts) == before


@of([method for method in WRITES if method.name.startswith("Create")])
def test_what_is_missing_is_named(parts: Parts, admin: Browser, method: MethodDescriptor) -> None:
    before = rows(parts)
    empty = GetMessageClass(method.input_type)()
    bound, _ = bad_input.binding(method)
    if bound:
        setattr(empty, bound, f"sites/{SITE}")
    assert {"service_account", "webhook"} & set(named(send(admin, method, empty)))
    assert rows(parts) == before


@of(bad_input.of_existing(WRITES))
def test_what_is_not_there_is_not_found(parts: Parts, admin: Browser, method: MethodDescriptor) -> None:
    before = rows(parts)
    reply = send(admin, method, request(method))
    assert (reply.status_code, reply.json["reason"]) == (404, "NOT_FOUND"), reply.text
    assert rows(parts) == before


@of(OF_SITES)
def test_another_sites_object_is_refused_without_a_word_on_whether_it_exists(
    parts: Parts, admin: Browser, method: MethodDescriptor
) -> None:
    made = admin.post("/v1/sites/live-room/webhooks", FILLED["CreateWebhook"])
    assert made.status_code == 200, made.text
    theirs = made.json["webhook"]["name"].rsplit("/", 1)[1]
    before = rows(parts)
    ours = replace(admin, token=token_of(parts, "ours", {SITE: frozenset({"admin"})}))
    said = set()
    for ids in (theirs, Ids()()):
        reply = send(ours, method, request(method, "live-room", ids))
        assert reply.status_code == 403, reply.text
        said.add((reply.json["reason"], reply.json["detail"]))
    assert len(said) == 1
    assert rows(parts) == before
    assert admin.call("DELETE", f"/v1/{made.json['webhook']['name']}").status_code == 200


@of(WITH_BODY)
def test_bytes_that_are_no_json_are_refused(parts: Parts, admin: Browser, method: MethodDescriptor) -> None:
    before = rows(parts)
    verb, path, _ = route(method, request(method))
    headers = {"Host": HOST, "Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"}
    for body in (b"\xff\xff garbage", b'{"request_id": "cut', b'{"request_id": "' + b"x" * bad_input.TEN_MIB + b'"}'):
        reply = admin.client.open(path, method=verb, data=body, headers=headers)
        expected = (413, "MESSAGE_TOO_LARGE") if len(body) > bad_input.TEN_MIB else (400, "MALFORMED_REQUEST")
        assert (reply.status_code, (reply.json or {})["reason"]) == expected, reply.text
    assert rows(parts) == before
