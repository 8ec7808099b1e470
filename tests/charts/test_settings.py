"""The settings that the chart gives are those that the programs declare, and what it mounts is what they read."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.gateway.identity.tokens import Issuer
from services.kit.access import Access, Kind
from services.kit.auth import TokenVerifier
from services.kit.config import describe, load
from services.kit.crypto import Keys
from services.kit.keys import KeySet
from services.policy.calls import Calls
from services.policy.versions import Profiles
from services.stack.cluster_secrets import first_set
from services.stack.commands.run import CONFIGS
from services.stack.home import SERVICES
from services.stack.smoke import SmokeConfig
from tests.charts.helm import CHART, ENVIRONMENTS, Object, Release, render

# Read by every process beside its own settings (services/stack/commands/run.py).
OF_EVERY_PROCESS = {"KEFU_LOG_LEVEL"}
ETC = "/etc/kefu"


def config_of(args: list[str]) -> Any:
    module, name = CONFIGS[args[1]]
    return getattr(importlib.import_module(module), name)


def programs(release: Release) -> Iterator[tuple[str, Object, Object]]:
    """Name, container and pod of every deployment."""
    for name, one in release.of("Deployment").items():
        pod = one["spec"]["template"]["spec"]
        yield name, pod["containers"][0], pod


def names(container: Object) -> set[str]:
    return {pair["name"] for pair in container["env"] if pair["name"].startswith("KEFU_")}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_variable_is_declared_and_every_required_one_is_set(environment: str) -> None:
    for name, container, _ in programs(render(environment)):
        rows = describe(config_of(container["args"]))
        declared = {row["env"] for row in rows}
        required = {row["env"] for row in rows if row["default"] == "(required)"}
        assert names(container) - declared - OF_EVERY_PROCESS == set(), name
        assert required - names(container) == set(), name


def test_the_smoke_test_gets_what_it_declares() -> None:
    pod = render().of("Pod")["kefu-smoke"]
    rows = describe(SmokeConfig)
    found = names(pod["spec"]["containers"][0])
    assert {row["env"] for row in rows if row["default"] == "(required)"} <= found <= {row["env"] for row in rows}


def test_every_service_of_the_program_is_installed() -> None:
    roles = {tuple(container["args"]) for _, container, _ in programs(render())}
    assert {args[1] for args in roles if args[0] == "serve"} == set(CONFIGS)
    assert {args[1] for args in roles if args[0] == "work"} == set(SERVICES)
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(values["services"]) == set(SERVICES)


def as_kubelet_mounts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files as the kubelet does: through links, so that all change at one moment."""
    data = folder / "..2026_11_25_00_00_00.1"
    data.mkdir(parents=True)
    for name, text in texts.items():
        (data / name).write_text(text, encoding="utf-8")
        (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to(data.name)


class Mounted:
    """A pod's files in a folder, and its environment with the paths moved there."""

    def __init__(self, release: Release, deployment: str, folder: Path) -> None:
        self._secrets = {
            one["metadata"]["name"]: one["stringData"]
            for one in first_set(SERVICES, namespace="kefu", postgres="db:5432", nats="nats:4222", kid="2026-11-25")
        }
        self._maps = release.of("ConfigMap")
        _, container, pod = next(found for found in programs(release) if found[0] == deployment)
        paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for volume in pod["volumes"]:
            if paths[volume["name"]].startswith(ETC):
                as_kubelet_mounts(folder / paths[volume["name"]].removeprefix("/"), self._texts(volume))
        self.args = container["args"]
        self.env = {pair["name"]: self._value(pair, folder) for pair in container["env"]}

    def _texts(self, volume: Object) -> dict[str, str]:
        if "projected" in volume:
            maps = [self._maps[source["configMap"]["name"]] for source in volume["projected"]["sources"]]
            return {key: text for one in maps for key, text in one["data"].items()}
        name = volume["secret"]["secretName"]
        # what cert-manager writes; nobody opens it here
        return self._secrets.get(name) or dict.fromkeys(("tls.crt", "tls.key", "ca.crt"), "PEM")

    def _value(self, pair: Object, folder: Path) -> str:
        if "valueFrom" in pair:
            reference = pair["valueFrom"]["secretKeyRef"]
            return str(self._secrets[reference["name"]][reference["key"]])
        value = str(pair["value"])
        return str(folder / value.removeprefix("/")) if value.startswith(ETC) else value


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("deployment", sorted(render().of("Deployment")))
def test_a_pod_can_use_what_it_is_given(environment: str, deployment: str, tmp_path: Path) -> None:
    mounted = Mounted(render(environment), deployment, tmp_path)
    config = load(config_of(mounted.args), mounted.env)
    assert config.environment == {"default": "prod", "airgap": "prod"}.get(environment, environment)
    Keys.read(config.sealing_keys)
    verifier = TokenVerifier(KeySet(config.public_keys), Access({}))
    profiles = Profiles(config.profiles)
    assert len(profiles.current.sites) == len(list((CHART / "profiles").glob("*.yaml")))
    if "KEFU_SIGNING_KEYS" in mounted.env:
        issuer = Issuer(config.signing_keys, public_keys=config.public_keys)
        assert verifier.verify(issuer.service("smoke", {})).kind is Kind.SERVICE
        assert set(config.target_of) == set(Calls.read().calls["gateway"])
    files = [value for value in mounted.env.values() if value.startswith(str(tmp_path))]
    assert all(Path(value).exists() for value in files), json.dumps(files)
