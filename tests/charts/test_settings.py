"""The settings that the chart gives are those that the programs declare, and what it mounts is what they read."""

from __future__ import annotations

import importlib
import json
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
from services.stack.commands.run import CONFIGS
from services.stack.home import SERVICES
from services.stack.smoke import SmokeConfig
from tests.charts.helm import CHART, ENVIRONMENTS, Object, render
from tests.charts.mounted import Mounted, programs, secrets

# Read by every process beside its own settings (services/stack/commands/run.py).
OF_EVERY_PROCESS = {"KEFU_LOG_LEVEL"}


def config_of(args: list[str]) -> Any:
    module, name = CONFIGS[args[1]]
    return getattr(importlib.import_module(module), name)


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


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("deployment", sorted(render().of("Deployment")))
def test_a_pod_can_use_what_it_is_given(environment: str, deployment: str, tmp_path: Path) -> None:
    release = render(environment)
    mounted = Mounted(release, deployment, tmp_path, secrets(release))
    config = load(config_of(mounted.args), mounted.env)
    assert config.environment == {"default": "prod", "airgap": "prod"}.get(environment, environment)
    Keys.read(config.sealing_keys)
    verifier = TokenVerifier(KeySet(config.public_keys), Access({}))
    profiles = Profiles(config.profiles)
    assert len(profiles.current.sites) == len(list((CHART / "profiles").glob("*.yaml")))
    if "KEFU_SIGNING_KEYS" in mounted.env:
        issuer = Issuer(config.signing_keys, public_keys=config.public_keys)
        assert verifier.verify(issuer.service("smoke", {})).kind is Kind.SERVICE
        assert set(config.calls.addresses) == set(Calls.read().calls["gateway"])
    files = [value for value in mounted.env.values() if value.startswith(str(tmp_path))]
    assert all(Path(value).exists() for value in files), json.dumps(files)
