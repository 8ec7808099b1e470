"""What each environment renders to, committed, so that a review shows what a change of a template changes.

python -m tests.charts.golden    write tests/charts/golden/*.yaml again
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from tests.charts.helm import ENVIRONMENTS, Object, render

FOLDER = Path(__file__).with_name("golden")
CASES = [name for name in ENVIRONMENTS if name != "default"]
# What follows from committed files of its own, or from the chart's version alone.
_NOT_OURS = "(left out)"


def text(environment: str) -> str:
    """The objects of an environment by kind and name."""
    objects = sorted(render(environment).everything, key=lambda one: (one["kind"], one["metadata"]["name"]))
    return yaml.safe_dump_all([_plain(one) for one in objects], sort_keys=True, width=120, allow_unicode=True)


def _plain(one: Object) -> Object:
    """An object without the texts of profiles, rules and dashboards, checksums and versions."""
    plain: dict[str, Any] = copy.deepcopy(one)
    if plain["kind"] == "ConfigMap":
        plain["data"] = dict.fromkeys(plain["data"], _NOT_OURS)
    if plain["kind"] == "PrometheusRule":
        plain["spec"] = _NOT_OURS
    if plain["kind"] == "Job" and "annotations" not in plain["metadata"]:
        plain["metadata"]["name"] = plain["metadata"]["name"].rpartition("-")[0]
    _strip(plain["metadata"])
    if "template" in plain.get("spec", ()):
        _strip(plain["spec"]["template"]["metadata"])
    return plain


def _strip(metadata: dict[str, Any]) -> None:
    for label in ("helm.sh/chart", "app.kubernetes.io/version"):
        metadata.get("labels", {}).pop(label, None)
    metadata.get("annotations", {}).pop("checksum/profiles", None)


def write() -> None:
    """Write every case."""
    for environment in CASES:
        (FOLDER / f"{environment}.yaml").write_text(text(environment), encoding="utf-8")


if __name__ == "__main__":
    write()
