"""From the last release to this chart: nothing changes that cannot, no key is silently lost, the version is new."""

from __future__ import annotations

import base64
import copy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.cluster import IMMUTABLE
from tests.charts.conftest import RELEASED, version_of
from tests.charts.helm import CHART, ENVIRONMENTS, ROOT, HelmError, Object, Release, helm, lay

REMOVED = yaml.safe_load((CHART / "files" / "removed.yaml").read_text(encoding="utf-8"))
META = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))


def released_values(last: Path, environment: str) -> dict[str, Any]:
    """An environment's values as the last release had them: what an operator holds."""
    values: dict[str, Any] = {}
    for file in ENVIRONMENTS[environment]:
        lay(values, yaml.safe_load((last / "values" / f"{file}.yaml").read_text(encoding="utf-8")))
    return values


def follow(values: dict[str, Any]) -> dict[str, Any]:
    """What UPGRADING.md tells an operator to change."""
    followed = copy.deepcopy(values)
    followed.pop("nameOverride", None)
    if url := followed.pop("prometheus", {}).get("url"):
        lay(followed, {"monitoring": {"prometheusUrl": url}})
    return followed


def forbidden(before: Release, after: Release) -> Iterator[str]:
    """What the API server would refuse to change; hooks are deleted before they are made again."""
    old = {(one["kind"], one["metadata"]["name"]): one for one in before.objects}
    for one in after.objects:
        was = old.get((one["kind"], one["metadata"]["name"]))
        for field in IMMUTABLE.get(one["kind"], ()):
            if was is not None and was["spec"].get(field) != one["spec"].get(field):
                yield f"{one['kind']} {one['metadata']['name']}: spec.{field}"


@pytest.mark.parametrize("mode", ["hook", "job"])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_upgrade_changes_nothing_that_cannot_change(last: Path, environment: str, mode: str) -> None:
    values = released_values(last, environment)
    if environment in {"default", "prod"}:
        lay(values, {"migrations": {"mode": mode}})
    before, after = helm().render(last, values), helm().render(CHART, follow(values))
    assert list(forbidden(before, after)) == []
    gone = {(one["kind"], one["metadata"]["name"]) for one in before.objects if one["kind"] != "Job"} - {
        (one["kind"], one["metadata"]["name"]) for one in after.objects
    }
    assert gone == set(), "an object that goes is told in UPGRADING.md first"


def test_the_check_sees_a_changed_selector_and_a_changed_job(last: Path) -> None:
    values = {"migrations": {"mode": "job"}}
    before = helm().render(last, values)
    text = before.text.replace("app.kubernetes.io/component: intake\n", "app.kubernetes.io/component: inbox\n")
    found = list(forbidden(before, Release(text.replace('["migrate","intake"]', '["migrate","inbox"]'), "")))
    assert "Deployment kefu-intake: spec.selector" in found
    assert any(fault.startswith("Job kefu-intake-migrate-") for fault in found)


@pytest.mark.parametrize("path", REMOVED)
def test_a_removed_key_is_refused_with_the_new_one_and_told(path: str) -> None:
    values: Object = {}
    place = values
    *above, key = path.split(".")
    for step in above:
        place = place.setdefault(step, {})
    place[key] = "x"
    with pytest.raises(HelmError, match=f"{path}: removed in {REMOVED[path]['in']}; {REMOVED[path]['instead']}"):
        helm().render(CHART, values)
    assert f"`{path}`" in (CHART / "UPGRADING.md").read_text(encoding="utf-8")


def test_values_of_the_last_release_work_or_are_refused_by_name(last: Path) -> None:
    for environment in ENVIRONMENTS:
        values = released_values(last, environment)
        if values == follow(values):
            assert helm().render(CHART, values).objects
        else:
            with pytest.raises(HelmError, match="removed in"):
                helm().render(CHART, values)


def packed(folder: Path) -> dict[str, bytes]:
    """What a package holds of a chart's folder."""
    ignored = (folder / ".helmignore").read_text(encoding="utf-8").split()
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(path.match(one) or one.strip("/") in path.parts for one in ignored)
    }
    files.pop("Chart.yaml")  # written anew by the packer
    return files


def test_a_changed_chart_has_a_new_version_and_says_what_changed(last: Path) -> None:
    assert packed(CHART).keys() >= {"values.yaml", "files/calls.yaml", "profiles/online-desk.yaml"}
    newer = version_of(META["version"]) > version_of(RELEASED[-1].stem)
    assert newer or packed(CHART) == packed(last), "bump version in Chart.yaml"
    changes = yaml.safe_load(META["annotations"]["artifacthub.io/changes"])
    assert changes
    assert all(set(change) == {"kind", "description"} for change in changes)


def test_the_chart_carries_the_version_of_the_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert META["appVersion"] == project["version"]
    assert META["apiVersion"] == "v2", "Helm 3 reads it too"
    assert META["kubeVersion"] == ">=1.30.0-0"
    assert {"description", "keywords", "maintainers"} <= META.keys()
    mark = (ROOT / "services" / "gateway" / "static" / "mark.svg").read_bytes().strip()
    assert META["icon"] == f"data:image/svg+xml;base64,{base64.b64encode(mark).decode()}"
    (image,) = yaml.safe_load(META["annotations"]["artifacthub.io/images"])
    assert image["image"] == f"kefu:{META['appVersion']}"
    assert "dependencies" not in META, "stores and monitoring are addressed, not bundled"
