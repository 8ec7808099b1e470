"""Where services answer, as an operator writes it."""

from __future__ import annotations

import pytest

from services.kit.client.settings import CallsConfig
from services.kit.config import ConfigError, load


def test_the_list_of_a_services_replicas_stays_whole() -> None:
    said = "intake=ipv4:10.0.0.1:90,10.0.0.2:90,qa=qa:80,crm=ipv6:[::1]:1,[::1]:2"
    calls = load(CallsConfig, {"KEFU_TARGETS": said})
    assert calls.addresses == {
        "intake": "ipv4:10.0.0.1:90,10.0.0.2:90",
        "qa": "qa:80",
        "crm": "ipv6:[::1]:1,[::1]:2",
    }
    assert calls.target("intake", []).address == "ipv4:10.0.0.1:90,10.0.0.2:90"
    assert calls.target("staffing", []).address == "dns:///staffing"


def test_an_address_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"10\.0\.0\.2:90 must read service=host:port"):
        load(CallsConfig, {"KEFU_TARGETS": "intake=10.0.0.1:90,10.0.0.2:90"})
