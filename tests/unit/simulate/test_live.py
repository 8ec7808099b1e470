from __future__ import annotations

from pathlib import Path

import pytest

from services.kit.config import ConfigError, load
from services.simulate.live import LiveConfig

SETTINGS = {
    "KEFU_CLIENT_ID": "simulator",
    "KEFU_CLIENT_SECRET": "x",
    "KEFU_PUBLIC_URL": "http://127.0.0.1:1",
    "KEFU_TARGETS": "intake=127.0.0.1:2,staffing=127.0.0.1:3",
    "KEFU_PROFILES": "profiles",
    "KEFU_SIGNING_KEYS": "keys",
}


@pytest.mark.parametrize("environment", ["prod", "staging", "production", "PROD", "anything"])
def test_traffic_is_refused_where_customers_are(environment: str) -> None:
    with pytest.raises(ConfigError, match="simulated traffic cannot run"):
        load(LiveConfig, SETTINGS | {"KEFU_ENVIRONMENT": environment})


def test_the_default_environment_is_production_and_therefore_refused() -> None:
    with pytest.raises(ConfigError, match="'prod'"):
        load(LiveConfig, SETTINGS)


def test_a_local_stack_may() -> None:
    config = load(LiveConfig, SETTINGS | {"KEFU_ENVIRONMENT": "local"})
    assert (config.client_id, config.profiles) == ("simulator", Path("profiles"))
