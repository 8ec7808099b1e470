"""Path templates of google.api.http."""

from __future__ import annotations

import pytest

from services.gateway.transcode.template import Template, TemplateError, singular


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/v1/{name=sites/*/people/*}", "/v1/sites/desk/people/anna", ("sites/desk/people/anna",)),
        ("/v1/{name=sites/*/people/*}", "/v1/sites/desk/people", None),
        ("/v1/{name=sites/*/people/*}", "/v1/sites/desk/people/anna/x", None),
        ("/v1/{name=sites/*/people/*}", "/v1/sites/desk/people/anna:close", None),
        ("/v1/{name=sites/*}:watch", "/v1/sites/desk:watch", ("sites/desk",)),
        ("/v1/{name=sites/*}:watch", "/v1/sites/desk", None),
        ("/v1/{name=sites/*}:watch", "/v1/sites/:watch", None),
        ("/v1/{parent=sites/*}/report:export", "/v1/sites/desk/report:export", ("sites/desk",)),
        ("/v1/accounts/{client_id}:disable", "/v1/accounts/shop:disable", ("shop",)),
        ("/v1/{person.name=sites/*/people/*}", "/v1/sites/a/people/b", ("sites/a/people/b",)),
        ("/v1/{name=files/**}", "/v1/files/a/b/c", ("files/a/b/c",)),
        ("/v1/a.b", "/v1/aXb", None),
    ],
)
def test_a_path_fits_or_not(template: str, path: str, values: tuple[str, ...] | None) -> None:
    assert Template.parse(template).match(path) == values


@pytest.mark.parametrize("template", ["v1/x", "/v1/{Name=a/*}", "/v1/{name=a/{b}}", "/v1/x*", "/v1/{name"])
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse(template)


def test_openapi_names_each_part_after_its_collection() -> None:
    path, parameters = Template.parse("/v1/{name=sites/*/conversations/*/followUps/*}:complete").openapi()
    assert path == "/v1/sites/{site}/conversations/{conversation}/followUps/{followUp}:complete"
    assert [name for name, _ in parameters] == ["site", "conversation", "followUp"]


@pytest.mark.parametrize(("many", "one"), [("people", "person"), ("deliveries", "delivery"), ("sites", "site")])
def test_singular(many: str, one: str) -> None:
    assert singular(many) == one
