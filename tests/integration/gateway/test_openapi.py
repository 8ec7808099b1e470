"""The OpenAPI document: valid, complete, and true of the running gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from services.gateway.app import Parts, contract_image, create_app
from services.gateway.transcode.routes import read_routes
from tests.integration.gateway.conftest import HOST, Browser, token_of

SECONDS_AN_OPERATION = 1.0
EXAMPLES = 15
METHODS = sorted(route.path for route in read_routes(contract_image()).all)


@pytest.fixture(scope="module")
def document(parts: Parts) -> dict[str, Any]:
    reply = Browser(create_app(parts).test_client()).get("/openapi.json")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for verbs in document["paths"].values():
        yield from verbs.values()


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OPENAPI_31_VALIDATOR.validate(document)


def test_every_rpc_is_in_it_with_words(parts: Parts, document: dict[str, Any]) -> None:
    listed = list(operations(document))
    assert {one["x-kefu-method"] for one in listed} == {route.path.lstrip("/") for route in parts.routes.all}
    assert len({one["operationId"] for one in listed}) == len(listed)
    for one in listed:
        assert one["summary"], one["operationId"]
        assert one["description"], one["operationId"]
        assert {"400", "401", "403", "404", "429", "503"} <= set(one["responses"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in set(references(document)):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_rules_of_the_contract_are_constraints(document: dict[str, Any]) -> None:
    person = document["components"]["schemas"]["StaffingPersonInput"]
    assert person["properties"]["capacity"]["maximum"] == 50
    assert person["properties"]["displayName"]["maxLength"] == 80
    assert person["properties"]["skills"]["uniqueItems"] is True
    assert "presence" not in person["properties"]
    assert "GRADE_UNSPECIFIED" not in person["properties"]["grade"]["enum"]


def test_the_page_shows_every_operation(parts: Parts, document: dict[str, Any]) -> None:
    page = Browser(create_app(parts).test_client()).get("/docs")
    assert page.status_code == 200
    for one in operations(document):
        assert f'id="{one["operationId"]}"' in page.text
    assert "http-equiv" not in page.text
    assert "<script" not in page.text


@pytest.fixture(scope="module")
def described(parts: Parts) -> dict[str, Any]:
    """Every operation of the description, by method."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", create_app(parts), headers={"Host": HOST})
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {f"/{one.definition.raw['x-kefu-method']}": one for one in found}


def test_every_method_is_described(described: dict[str, Any]) -> None:
    assert sorted(described) == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_whatever_is_sent_nothing_breaks(parts: Parts, described: dict[str, Any], method: str) -> None:
    """schemathesis sends valid and invalid requests to an operation: no 5xx, no undocumented reply."""
    token = token_of(parts, "admin", {"*": frozenset({"admin"})})
    assert fuzz(described[method], {"Host": HOST, "Authorization": f"Bearer {token}"}) > 0


def fuzz(operation: Any, headers: dict[str, str]) -> int:
    """Send examples to one operation, at least one and then for at most SECONDS_AN_OPERATION; how many."""
    tried = 0
    limit = time.monotonic() + SECONDS_AN_OPERATION
    negative = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=st.one_of(operation.as_strategy(), negative))
    def send(case: Any) -> None:
        nonlocal tried
        if tried and time.monotonic() > limit:
            raise _EnoughError  # to draw the others, only to drop them, takes longer than the calls
        tried += 1
        if any({"\r", "\n"} & set(str(value)) for value in (case.headers or {}).values()):
            return  # no header on the wire has these, and werkzeug's client makes none
        checks = [not_a_server_error, status_code_conformance, content_type_conformance]
        case.validate_response(case.call(headers=headers), checks=checks)

    with suppress(_EnoughError):
        send()
    return tried


class _EnoughError(Exception):
    """The time of an operation is over; a run that ends by it has found nothing."""
