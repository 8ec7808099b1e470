"""The values: refused with their path when wrong, described in the schema, told in the README, laid over each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from charts.generate import README, describe, readme
from tests.charts.helm import CHART, ENVIRONMENTS, HelmError, Release, render, values_of

BAD = yaml.safe_load(Path(__file__).with_name("bad_values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", BAD, ids=[case["what"] for case in BAD])
def test_bad_values_are_refused_with_path_and_reason(case: dict[str, Any]) -> None:
    with pytest.raises(HelmError) as refused:
        render("default", case["values"])
    for part in case["says"]:
        assert any(one in str(refused.value) for one in part.split("|")), refused.value


def test_there_are_thirty_bad_ones_at_least_and_each_has_a_sound_neighbour() -> None:
    assert len(BAD) >= 30
    assert all(render(environment).everything for environment in ENVIRONMENTS)


def objects_of(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema node that describes an object, by its place in the schema."""
    if node.get("type") == "object" or "properties" in node:
        yield path, node
    for key, inner in node.items():
        if key in {"if", "then"}:
            continue
        if isinstance(inner, dict):
            yield from objects_of(inner, f"{path}/{key}")
        elif isinstance(inner, list):
            for at, one in enumerate(inner):
                if isinstance(one, dict):
                    yield from objects_of(one, f"{path}/{key}/{at}")


def test_the_schema_is_strict_at_every_level() -> None:
    """Open are `global`, an affinity, and Kubernetes' own objects inside of a list or a reference."""
    open_ones = {
        path
        for path, node in objects_of(SCHEMA)
        if node.get("additionalProperties", True) is True and not path.endswith("/properties")
    }
    kubernetes_own = ("Ref", "Selector", "/items")
    assert {path for path in open_ones if not path.endswith(kubernetes_own)} == {
        "/properties/global",
        "/definitions/workload/properties/affinity",
    }


def test_every_value_is_described() -> None:
    rows = {row.path: row for row in describe(SCHEMA, VALUES)}
    assert [path for path, row in rows.items() if not row.text] == []
    assert {"environment", "image.tag", "defaults.drain.preStopSeconds", "tls.mode"} <= rows.keys()


def test_the_readme_tells_the_values_of_today() -> None:
    assert README.read_text(encoding="utf-8") == readme(), "run `make charts`"


@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name != "default"])
def test_environment_files_are_thin_and_hold_no_secret(environment: str) -> None:
    for file in ENVIRONMENTS[environment]:
        text = (CHART / "values" / f"{file}.yaml").read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 60
        assert not re.search(r"(?i)(password|secret|token)\s*:\s*\S", text.replace("tlsSecret", ""))
        assert not re.search(r"://[^\s/]*:[^\s/]*@", text)


def env_of(release: Release, deployment: str) -> dict[str, Any]:
    container = release.of("Deployment")[deployment]["spec"]["template"]["spec"]["containers"][0]
    return {pair["name"]: pair.get("value", pair.get("valueFrom")) for pair in container["env"]}


def test_one_variable_of_one_role_can_be_set_changed_and_removed() -> None:
    over = {
        "defaults": {"env": {"KEFU_LOG_LEVEL": "WARNING"}},
        "services": {
            "intake": {
                "env": {"KEFU_INTAKE_SEARCH": False, "KEFU_LOG_LEVEL": "DEBUG"},
                "roles": {"work": {"env": {"KEFU_DATABASE_CONNECTIONS": 20, "KEFU_LOG_LEVEL": None}}},
            }
        },
    }
    release = render("default", over)
    serve, work, other = (env_of(release, name) for name in ("kefu-intake", "kefu-intake-work", "kefu-staffing"))
    assert (serve["KEFU_LOG_LEVEL"], other["KEFU_LOG_LEVEL"]) == ("DEBUG", "WARNING")
    assert "KEFU_LOG_LEVEL" not in work
    assert serve["KEFU_INTAKE_SEARCH"] == "false", "what is false, 0 or empty wins too"
    assert work["KEFU_DATABASE_CONNECTIONS"] == "20"
    assert "KEFU_DATABASE_CONNECTIONS" not in serve
    untouched = env_of(render(), "kefu-staffing")
    assert {**other, "KEFU_LOG_LEVEL": "INFO"} == untouched


@pytest.mark.parametrize(
    ("given", "text"), [(2_000_000, "2000000"), (0.25, "0.25"), (True, "true"), ("{{ .Release.Name }}-x", "kefu-x")]
)
def test_numbers_stay_numbers_and_text_is_a_template(given: Any, text: str) -> None:
    over = {"services": {"intake": {"env": {"KEFU_DATABASE_CONNECTIONS": given}}}}
    assert env_of(render("default", over), "kefu-intake")["KEFU_DATABASE_CONNECTIONS"] == text


def test_variables_come_from_secrets_config_maps_and_the_pod_too() -> None:
    names = {"KEFU_SITE_NAME": {"configMapKeyRef": {"name": "own", "key": "name"}}}
    release = render("default", {"defaults": {"env": names, "envFrom": [{"secretRef": {"name": "more"}}]}})
    assert env_of(release, "kefu-intake")["KEFU_SITE_NAME"] == {"configMapKeyRef": {"name": "own", "key": "name"}}
    container = release.of("Deployment")["kefu-intake"]["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "more"}}]


def test_notes_say_where_it_is_how_to_test_and_what_is_unwise() -> None:
    notes = render("default", {"defaults": {"replicas": 1}, "networkPolicies": {"enabled": False}}).notes
    for words in (
        "https://kefu.example.com",
        "helm test kefu",
        "publicUrl is",
        "single pod",
        "networkPolicies.enabled",
    ):
        assert words in notes
    own = {"publicUrl": "https://care.company.cn"}
    assert "WARNING" not in render("prod", own).notes
    assert "kefu migrate" in render("default", {"migrations": {"mode": "none"}}).notes


def test_values_of_two_files_lie_over_each_other() -> None:
    assert values_of(("prod", "airgap"))["image"]["pullPolicy"] == "Always"
    image = render("airgap").of("Deployment")["kefu-intake"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.startswith("registry.example.internal/kefu:")
