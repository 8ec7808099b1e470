"""What the chart installs, in every environment: valid, restricted, selectable, probed, drained, spread."""

from __future__ import annotations

import copy
from typing import Any

import kubernetes_validate
import pytest

from services.gateway import serving
from services.kit.client import target
from tests.charts import restricted
from tests.charts.helm import CHART, ENVIRONMENTS, Object, containers, helm, pods, render

# The oldest that Chart.yaml admits, one that is in use, the newest that we know.
KUBERNETES = ("1.30", "1.34", "1.37")
OPERATORS = {
    "monitoring.coreos.com/v1",
    "keda.sh/v1alpha1",
    "external-secrets.io/v1",
    "cert-manager.io/v1",
    "gateway.networking.k8s.io/v1",
}
MODES: list[tuple[str, dict[str, Any]]] = [(environment, {}) for environment in ENVIRONMENTS] + [
    ("default", {"migrations": {"mode": "job"}}),
    ("default", {"migrations": {"mode": "none"}, "tls": {"mode": "mesh"}}),
]
every_mode = pytest.mark.parametrize(("environment", "overrides"), MODES)
every_environment = pytest.mark.parametrize("environment", ENVIRONMENTS)

# For how long the DNS of a cluster may repeat an answer: `cache 30` and `ttl 30` of CoreDNS as kubeadm sets it up.
STALE_NAME_SECONDS = 30
GRANIAN = {"gateway": serving.WEB_END_SECONDS, "stream": serving.STREAM_END_SECONDS}


def deployments(environment: str, overrides: dict[str, Any] | None = None) -> dict[str, Object]:
    return render(environment, overrides).of("Deployment")


def test_lint_finds_nothing() -> None:
    assert helm().lint(CHART) == []


@every_mode
@pytest.mark.parametrize("version", KUBERNETES)
def test_objects_keep_to_the_strict_schemas(environment: str, overrides: dict[str, Any], version: str) -> None:
    checked = [one for one in render(environment, overrides).everything if one["apiVersion"] not in OPERATORS]
    assert len(checked) > 20
    for one in checked:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_strict_schemas_would_refuse_a_typo_and_a_named_probe_port() -> None:
    wrong = copy.deepcopy(deployments("default")["kefu-intake"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["grpc"]["port"] = "health"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


@every_mode
def test_every_pod_keeps_to_the_restricted_standard(environment: str, overrides: dict[str, Any]) -> None:
    found = pods(render(environment, overrides).everything)
    assert any(name.startswith("Pod/") for name in found), "the test pod"
    assert {name: list(restricted.faults(pod)) for name, pod in found.items() if list(restricted.faults(pod))} == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("securityContext", "runAsNonRoot"), False),
        (("securityContext", "runAsUser"), 0),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}),
        (("hostNetwork",), True),
        (("automountServiceAccountToken",), True),
        (("volumes",), [{"name": "host", "hostPath": {"path": "/"}}]),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False),
        (("containers", 0, "securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_RAW"]}),
    ],
)
def test_the_restricted_checker_sees_a_fault(path: tuple[Any, ...], value: Any) -> None:
    pod = copy.deepcopy(deployments("default")["kefu-intake"]["spec"]["template"])
    place = pod["spec"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(restricted.faults(pod))


@every_environment
def test_selectors_hold_name_instance_and_component_only_and_match_their_pods(environment: str) -> None:
    release = render(environment)
    stable = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
    for one in release.of("Deployment").values():
        selector = one["spec"]["selector"]["matchLabels"]
        assert set(selector) == stable
        assert selector.items() <= one["spec"]["template"]["metadata"]["labels"].items()
        for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"] == selector
            assert spread["matchLabelKeys"] == ["pod-template-hash"]
    chosen = {tuple(one["spec"]["selector"]["matchLabels"].items()) for one in release.of("Deployment").values()}
    assert len(chosen) == len(release.of("Deployment"))
    for service in release.of("Service").values():
        assert tuple(service["spec"]["selector"].items()) in chosen


@every_environment
def test_one_account_per_service_and_none_has_a_token(environment: str) -> None:
    release = render(environment)
    accounts = release.of("ServiceAccount")
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())
    for name, pod in pods(release.objects).items():
        if name.startswith("Deployment/"):
            assert pod["spec"]["serviceAccountName"] == f"kefu-{pod['metadata']['labels']['kefu/service']}"
            assert pod["spec"]["serviceAccountName"] in accounts
    assert not [one for one in release.everything if "Role" in one["kind"]]


@every_environment
def test_probes_ask_by_name_and_only_readiness_asks_for_the_database(environment: str) -> None:
    for name, one in deployments(environment).items():
        container = one["spec"]["template"]["spec"]["containers"][0]
        asked = {kind: container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        if "grpc" in ports:
            assert all(probe["grpc"]["port"] == ports["health"] for probe in asked.values())
            services = [asked[kind]["grpc"]["service"] for kind in asked]
            assert services == ["liveness", "readiness", "liveness"]
        else:
            paths = [asked[kind]["httpGet"]["path"] for kind in asked]
            assert paths == ["/healthz", "/readyz" if "http" in ports else "/healthz", "/healthz"], name
        start = asked["startup"]
        assert start["periodSeconds"] * start["failureThreshold"] >= 60, "a slow node is no fault"


@every_environment
def test_a_pod_has_time_to_end(environment: str) -> None:
    for name, one in deployments(environment).items():
        spec = one["spec"]["template"]["spec"]
        container = spec["containers"][0]
        env = {pair["name"]: pair.get("value", "") for pair in container["env"]}
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        ending = float(env.get("KEFU_DRAIN_SECONDS", 0)) + float(env.get("KEFU_GRACE_SECONDS", 0))
        assert spec["terminationGracePeriodSeconds"] >= pause + ending + 5 + 5, name
        if container["args"][0] == "serve" and container["args"][1] in GRANIAN:
            assert spec["terminationGracePeriodSeconds"] >= pause + GRANIAN[container["args"][1]] + 5, name
        if container["args"][0] == "serve" and environment != "dev":
            assert pause >= 5, "endpoints forget a pod within seconds of the order to stop"


@every_environment
def test_an_old_pod_goes_when_callers_know_the_new_one(environment: str) -> None:
    for name, one in deployments(environment).items():
        strategy = one["spec"]["strategy"]["rollingUpdate"]
        assert (strategy["maxUnavailable"], strategy["maxSurge"]) == (0, 1)
        if one["spec"].get("replicas", 2) > 1:
            assert one["spec"]["minReadySeconds"] >= STALE_NAME_SECONDS >= target.RECONNECT_SECONDS, name


@every_environment
def test_budgets_exist_where_more_than_one_pod_runs(environment: str) -> None:
    release = render(environment)
    scaled = {
        one["spec"]["scaleTargetRef"]["name"] for one in release.everything if "scaleTargetRef" in one.get("spec", {})
    }
    many = {name for name, one in release.of("Deployment").items() if name in scaled or one["spec"]["replicas"] > 1}
    budgets = release.of("PodDisruptionBudget")
    assert set(budgets) == many
    assert (environment == "dev") == (not budgets)
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert budget["spec"]["selector"] == release.of("Deployment")[name]["spec"]["selector"]


@pytest.mark.parametrize("kind", ["none", "hpa", "keda"])
def test_one_hand_sets_the_number_of_pods(kind: str) -> None:
    scaling = {"kind": kind, "triggers": {"waiting": {"query": "sum(kefu_intake_queue_waiting)", "threshold": 200}}}
    release = render(
        "default",
        {
            "monitoring": {"prometheusUrl": "http://prometheus:9090"},
            "services": {"intake": {"roles": {"work": {"autoscaling": scaling}}}},
        },
    )
    assert ("replicas" in release.of("Deployment")["kefu-intake-work"]["spec"]) == (kind == "none")
    assert set(release.of("HorizontalPodAutoscaler")) == ({"kefu-intake-work"} if kind == "hpa" else set())
    assert set(release.of("ScaledObject")) == ({"kefu-intake-work"} if kind == "keda" else set())


def test_production_scales_waits_and_spreads() -> None:
    release = render("prod")
    assert all(
        scaler["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
        for scaler in release.of("HorizontalPodAutoscaler").values()
    )
    trigger = release.of("ScaledObject")["kefu-intake-work"]["spec"]["triggers"][0]
    assert trigger["metadata"]["query"] == "sum(kefu_intake_queue_waiting)"
    for one in release.of("Deployment").values():
        keys = [spread["topologyKey"] for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        assert one["spec"].get("replicas", 2) >= 2


@every_mode
def test_every_container_has_requests_and_a_limit(environment: str, overrides: dict[str, Any]) -> None:
    for name, pod in pods(render(environment, overrides).everything).items():
        for container in containers(pod):
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
    notes = render(environment, overrides).notes
    assert "no resource requests" not in notes


def test_grpc_services_are_headless_so_that_callers_balance() -> None:
    for name, service in render().of("Service").items():
        ports = {port["name"] for port in service["spec"]["ports"]}
        assert (service["spec"].get("clusterIP") == "None") == ("http" not in ports), name


def test_a_change_of_a_profile_rolls_the_pods() -> None:
    def checksum(text: str) -> str:
        one = deployments("default", {"profiles": {"own": {"shop": text}}})["kefu-intake"]
        return str(one["spec"]["template"]["metadata"]["annotations"]["checksum/profiles"])

    assert checksum("site: shop") != checksum("site: shop # changed")
    maps = render("default", {"profiles": {"own": {"shop": "site: shop"}}}).of("ConfigMap")
    assert maps["kefu-profile-shop"]["data"] == {"shop.yaml": "site: shop"}
    packed = (CHART / "profiles" / "online-desk.yaml").read_text(encoding="utf-8")
    assert maps["kefu-profile-online-desk"]["data"] == {"online-desk.yaml": packed}


def test_defaults_need_no_operator_and_no_way_in() -> None:
    assert {one["apiVersion"] for one in render().everything}.isdisjoint(OPERATORS)
    assert not render().of("Ingress")


def test_both_ways_in_lead_to_console_and_streams_on_one_host() -> None:
    ingress = render("staging").of("Ingress")["kefu"]["spec"]
    assert [rule["host"] for rule in ingress["rules"]] == ["kefu.staging.example.com"]
    paths = {path["path"]: path["backend"]["service"]["name"] for path in ingress["rules"][0]["http"]["paths"]}
    route = render("prod").of("HTTPRoute")["kefu"]["spec"]
    assert route["hostnames"] == ["kefu.example.com"]
    matches = {rule["matches"][0]["path"]["value"]: rule["backendRefs"][0]["name"] for rule in route["rules"]}
    assert paths == matches == {"/": "kefu-gateway", "/stream": "kefu-gateway-stream"}


def test_further_objects_are_templates() -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}}
    assert "kefu-extra" in render("default", {"extraObjects": [extra]}).of("ConfigMap")


def test_a_service_more_is_a_block_of_values() -> None:
    """What adding a service takes, shown with one that exists under the settings of another release."""
    block = {
        "enabled": True,
        "migrate": False,
        "env": {"KEFU_DATABASE_URL": {"secret": "staffing-database", "key": "url"}},
        "roles": {"report": {"args": ["work", "staffing"], "replicas": 1}},
    }
    release = render("default", {"services": {"staffing": block}})
    assert set(release.of("Deployment")) >= {"kefu-staffing", "kefu-staffing-work", "kefu-staffing-report"}
    assert "kefu-staffing-report" in release.of("NetworkPolicy")
