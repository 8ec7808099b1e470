"""The real Helm: a Helm 4 on the PATH, else the same as a wheel (helm-python-sdk). Nothing here asks a cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

from services.kit import yaml_text

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "kefu"
NAME = NAMESPACE = "kefu"
# Environment → the value files that make it; the chart's own values are the case "default".
ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "dev": ("dev",),
    "staging": ("staging",),
    "prod": ("prod",),
    "airgap": ("prod", "airgap"),
}
Object = dict[str, Any]


class HelmError(Exception):
    """Helm refused; its words."""


@dataclass(frozen=True)
class Release:
    """What an installation would create: every document as text, hooks included, and the notes."""

    text: str
    notes: str

    @cached_property
    def everything(self) -> list[Object]:
        """Every object, tests and hooks included."""
        return [document for document in yaml.load_all(self.text, yaml.CSafeLoader) if document]

    @property
    def objects(self) -> list[Object]:
        """What stays: everything but hooks."""
        return [one for one in self.everything if not hook_of(one)]

    @property
    def hooks(self) -> list[Object]:
        """What Helm runs beside it."""
        return [one for one in self.everything if hook_of(one)]

    def of(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by name, hooks included."""
        return {one["metadata"]["name"]: one for one in self.everything if one["kind"] == kind}


def hook_of(one: Object) -> str:
    """The events that an object is a hook of; empty for others."""
    return str(one["metadata"].get("annotations", {}).get("helm.sh/hook", ""))


class Helm(Protocol):
    """What the tests need of Helm."""

    def render(self, chart: Path, values: Mapping[str, Any]) -> Release:
        """What an installation would create; raises HelmError."""
        ...

    def lint(self, chart: Path) -> list[str]:
        """Faults and warnings."""
        ...


class Program:
    """A helm program."""

    def __init__(self, path: str) -> None:
        self._path = path

    def render(self, chart: Path, values: Mapping[str, Any]) -> Release:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(dict(values), file, allow_unicode=True)
            file.flush()
            found = self._run(
                "install", NAME, str(chart), "-n", NAMESPACE, "-f", file.name, "--dry-run=client", "-o", "json"
            )
        release = json.loads(found)
        # a file with several hooks comes once for each of them
        hooks = dict.fromkeys(hook["manifest"] for hook in release.get("hooks", ()))
        return Release("\n---\n".join([*hooks, release["manifest"]]), release["info"].get("notes", ""))

    def lint(self, chart: Path) -> list[str]:
        found = self._run("lint", str(chart), "--strict")
        return [line for line in found.splitlines() if line.startswith(("[WARNING]", "[ERROR]"))]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([self._path, *arguments], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout


class Wheel:
    """Helm 4 in this process."""

    def render(self, chart: Path, values: Mapping[str, Any]) -> Release:
        import helm_python

        try:
            with helm_python.Chart.load(chart) as loaded:
                rendered = loaded.render(dict(values), name=NAME, namespace=NAMESPACE, is_install=True)
        except helm_python.HelmError as error:
            raise HelmError(str(error)) from error
        notes = [text for path, text in rendered.items() if path.endswith("NOTES.txt")]
        texts = [text for path, text in sorted(rendered.items()) if not path.endswith("NOTES.txt")]
        return Release("\n---\n".join(texts), notes[0] if notes else "")

    def lint(self, chart: Path) -> list[str]:
        import helm_python

        report = helm_python.lint(chart, strict=True)
        warning = 2
        return [f"{one['path']}: {one['error']}" for one in report["messages"] if one["severity"] >= warning]


@lru_cache(maxsize=1)
def helm() -> Helm:
    """The program on the PATH, else the wheel; Helm 3 asks a cluster even in a dry run on the client's side."""
    program = shutil.which("helm")
    if program:
        version = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False).stdout
        if version.startswith("v4"):
            return Program(program)
    return Wheel()


def values_of(files: Sequence[str], overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values of `values/FILE.yaml`, one over the other, and `overrides` over them, as Helm lays them."""
    values: dict[str, Any] = {}
    for file in files:
        lay(values, yaml_text.load((CHART / "values" / f"{file}.yaml").read_text(encoding="utf-8")))
    lay(values, overrides or {})
    return values


def lay(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay one mapping over another, as Helm lays value files."""
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            lay(base[key], value)
        else:
            base[key] = json.loads(json.dumps(value))


def render(environment: str = "default", overrides: Mapping[str, Any] | None = None) -> Release:
    """The release of an environment with further values."""
    return _render(environment, json.dumps(overrides or {}))


@lru_cache(maxsize=64)
def _render(environment: str, overrides: str) -> Release:
    return helm().render(CHART, values_of(ENVIRONMENTS[environment], json.loads(overrides)))


def pods(objects: Sequence[Object]) -> dict[str, Object]:
    """Kind/name → pod template (or pod) of everything that makes pods."""
    found: dict[str, Object] = {}
    for one in objects:
        if one["kind"] == "Pod":
            found[f"Pod/{one['metadata']['name']}"] = one
        elif "template" in one.get("spec", {}):
            found[f"{one['kind']}/{one['metadata']['name']}"] = cast("Object", one["spec"]["template"])
    return found


def containers(pod: Object) -> list[Object]:
    """Every container of a pod, those that run before included."""
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
