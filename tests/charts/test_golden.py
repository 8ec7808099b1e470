"""Renders are committed and stable: two are the same byte for byte, and no template leaves anything to chance."""

from __future__ import annotations

import re

import pytest

from tests.charts import golden
from tests.charts.helm import CHART, ENVIRONMENTS, helm, values_of


@pytest.mark.parametrize("environment", golden.CASES)
def test_an_environment_renders_to_what_is_committed(environment: str) -> None:
    committed = (golden.FOLDER / f"{environment}.yaml").read_text(encoding="utf-8")
    assert golden.text(environment) == committed, "run `make charts` and look at the difference"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_two_renders_are_the_same(environment: str) -> None:
    values = values_of(ENVIRONMENTS[environment])
    assert helm().render(CHART, values) == helm().render(CHART, values)


def test_templates_leave_nothing_to_chance_or_to_the_cluster() -> None:
    chance = re.compile(r"\b(rand\w+|gen(CA|SelfSigned|Signed|Private)\w*|uuidv4|now|lookup|htpasswd|Capabilities)\b")
    for file in (CHART / "templates").rglob("*"):
        if file.is_file():
            code = "".join(re.findall(r"\{\{(?!-? ?/\*).*?\}\}", file.read_text(encoding="utf-8")))
            assert not chance.search(code), file.name
