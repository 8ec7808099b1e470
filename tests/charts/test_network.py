"""NetworkPolicies: nothing in, nothing out, but what is declared; together they are the declared call list."""

from __future__ import annotations

from typing import Any

import pytest

from services.policy.calls import FILE as CALLS
from services.policy.calls import Calls
from tests.charts.helm import CHART, ENVIRONMENTS, Object, Release, hook_of, pods, render

POLICED = [name for name in ENVIRONMENTS if name != "dev"]
Edge = tuple[str, str, Any]


def chosen(selector: Object, release: Release) -> set[str]:
    """Services whose pods a selector chooses."""
    wanted = selector.get("matchLabels", {}).items()
    return {
        pod["metadata"]["labels"]["kefu/service"]
        for pod in pods(release.everything).values()
        if wanted <= pod["metadata"]["labels"].items()
    }


def edges(release: Release, direction: str) -> set[Edge]:
    """(from, to, port) of every rule between pods of the release, read from one side."""
    found: set[Edge] = set()
    side = "from" if direction == "ingress" else "to"
    for policy in release.of("NetworkPolicy").values():
        here = chosen(policy["spec"]["podSelector"], release)
        for rule in policy["spec"].get(direction, ()):
            others = [peer["podSelector"] for peer in rule.get(side, ()) if "podSelector" in peer]
            for there in (one for selector in others for one in chosen(selector, release)):
                for port in rule["ports"]:
                    pairs = {(there, one) if direction == "ingress" else (one, there) for one in here}
                    found |= {(*pair, port["port"]) for pair in pairs}
    return found


def calls_in(release: Release, direction: str) -> set[tuple[str, str]]:
    return {(one, other) for one, other, port in edges(release, direction) if port == "grpc"}


def test_the_chart_packs_the_declared_list() -> None:
    assert (CHART / "files" / "calls.yaml").read_bytes() == CALLS.read_bytes()


@pytest.mark.parametrize("environment", POLICED)
def test_policies_are_the_declared_calls_seen_from_both_ends(environment: str) -> None:
    declared = Calls.read().edges
    assert calls_in(render(environment), "ingress") == declared
    assert calls_in(render(environment), "egress") == declared


def test_a_disabled_service_takes_its_edges_along() -> None:
    release = render("default", {"services": {"gateway": {"enabled": False}}})
    assert calls_in(release, "ingress") == {edge for edge in Calls.read().edges if "gateway" not in edge}


def absent(release: Release) -> set[str]:
    """What the pods of a release are told of services that it does not have."""
    given = {
        pair["value"]
        for one in release.of("Deployment").values()
        for pair in one["spec"]["template"]["spec"]["containers"][0]["env"]
        if pair["name"] == "KEFU_ABSENT_SERVICES"
    }
    return {name for value in given for name in value.split(",")}


def test_nobody_waits_for_a_service_that_is_disabled() -> None:
    """Behind it: test_nothing_waits_for_a_service_that_is_not_there."""
    assert absent(render()) == set()
    off = {"enabled": False}
    release = render("default", {"services": {"gateway": off, "crm": off}})
    assert absent(release) == {"crm", "gateway"}
    smoke = release.of("Pod")["kefu-smoke"]["spec"]["containers"][0]["env"]
    assert [pair["name"] for pair in smoke] == ["KEFU_HEALTH_TARGETS"]
    assert "gateway" not in release.notes


@pytest.mark.parametrize("environment", POLICED)
def test_what_no_policy_allows_is_refused(environment: str) -> None:
    release = render(environment)
    deny = release.of("NetworkPolicy")["kefu-default-deny"]["spec"]
    assert sorted(deny["policyTypes"]) == ["Egress", "Ingress"]
    assert not deny.get("ingress")
    assert not deny.get("egress")
    for name, pod in pods(release.everything).items():
        own = [
            policy
            for policy in release.of("NetworkPolicy").values()
            if policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
            and policy["metadata"]["name"] != "kefu-default-deny"
        ]
        assert len(own) == 1, name
        assert sorted(own[0]["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        rules = own[0]["spec"].get("ingress", ()), own[0]["spec"]["egress"]
        assert all(rule.get("ports") for side in rules for rule in side), "no rule opens every port"


def outside(release: Release, policy: str) -> set[int]:
    rules = release.of("NetworkPolicy")[policy]["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}


def test_each_reaches_what_it_needs_and_no_more() -> None:
    release = render("prod")
    assert outside(release, "kefu-intake") == {53, 5432, 4222, 4317}
    assert outside(release, "kefu-gateway-work") == {53, 5432, 4222, 4317, 443}
    assert outside(release, "kefu-intake-migrate") == {53, 5432}
    assert outside(render("airgap"), "kefu-gateway-work") == {53, 5432, 4222, 4317}
    addressed = {"networkPolicies": {"egress": {"postgresql": {"to": [{"ipBlock": {"cidr": "10.0.0.0/28"}}]}}}}
    rules = render("prod", addressed).of("NetworkPolicy")["kefu-intake"]["spec"]["egress"]
    assert {"to": [{"ipBlock": {"cidr": "10.0.0.0/28"}}], "ports": [{"port": 5432, "protocol": "TCP"}]} in rules


def test_only_who_is_named_comes_in() -> None:
    policies = render("prod").of("NetworkPolicy")
    peers = {
        rule["ports"][0]["port"]: [peer.get("namespaceSelector", {}).get("matchLabels") for peer in rule["from"]]
        for rule in policies["kefu-gateway"]["spec"]["ingress"]
    }
    assert {"kubernetes.io/metadata.name": "ingress"} in peers["http"]
    assert peers["metrics"] == [{"kubernetes.io/metadata.name": "observability"}]
    assert [rule["ports"][0]["port"] for rule in policies["kefu-intake-work"]["spec"]["ingress"]] == ["metrics"]


def test_the_test_pod_may_ask_healths_and_the_gateway() -> None:
    release = render("prod")
    asked = {(other, port) for one, other, port in edges(release, "egress") if one == "smoke" and port != "grpc"}
    open_ends = {(other, port) for one, other, port in edges(release, "ingress") if one == "smoke"}
    assert open_ends == {(one, "http" if one == "gateway" else "health") for one in Calls.read().services}
    assert open_ends <= asked
    assert hook_of(release.of("NetworkPolicy")["kefu-smoke"]) == "test"
