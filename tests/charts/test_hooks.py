"""Migrations and secrets: no hook waits for what comes later, no Job is changed in place, the chart makes no secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.stack.cluster_secrets import first_set
from services.stack.home import SERVICES
from tests.charts.helm import ENVIRONMENTS, Object, Release, containers, hook_of, pods, render

NEEDS = ("Secret", "ConfigMap", "ServiceAccount")
OWN_TLS = {f"kefu-{service}-tls" for service in SERVICES}


def needs(pod: Object) -> Iterator[tuple[str, str]]:
    """Kind and name of everything without which a pod does not start."""
    spec = pod["spec"]
    if "serviceAccountName" in spec:
        yield "ServiceAccount", spec["serviceAccountName"]
    for volume in spec.get("volumes", ()):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", ()):
            yield "ConfigMap", source["configMap"]["name"]
    for container in containers(pod):
        for pair in container.get("env", ()):
            reference = pair.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield "Secret", reference["name"]


def weight(one: Object) -> int:
    return int(one["metadata"]["annotations"].get("helm.sh/hook-weight", 0))


def before(release: Release, hook: Object) -> set[tuple[str, str]]:
    """What exists when a hook runs: hooks of the same event with a lower weight, and what the chart does not make."""
    made = {(one["kind"], one["metadata"]["name"]) for one in release.everything}
    there = {
        (one["kind"], one["metadata"]["name"])
        for one in release.hooks
        if hook_of(one) == hook_of(hook) and weight(one) < weight(hook)
    }
    return there | {
        (kind, name) for kind, name in needs(hook["spec"].get("template", hook)) if (kind, name) not in made
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_hooks_need_only_hooks_of_a_lower_weight(environment: str) -> None:
    release = render(environment)
    jobs = [one for one in release.hooks if one["kind"] in {"Job", "Pod"} and "test" not in hook_of(one)]
    assert bool(jobs) == (environment not in {"dev", "airgap"})
    for job in jobs:
        assert set(needs(job["spec"]["template"])) <= before(release, job), job["metadata"]["name"]
    for hook in release.hooks:
        policy = hook["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation,hook-succeeded", "nothing is left behind, nothing stands in the way"


def migrations(release: Release) -> dict[str, Object]:
    return {job["spec"]["template"]["spec"]["containers"][0]["args"][1]: job for job in release.of("Job").values()}


@pytest.mark.parametrize("mode", ["hook", "job", "none"])
def test_migrations_run_as_hook_as_job_or_not_at_all(mode: str) -> None:
    release = render("default", {"migrations": {"mode": mode}})
    jobs = migrations(release)
    assert set(jobs) == (set() if mode == "none" else set(SERVICES))
    for job in jobs.values():
        assert hook_of(job) == ("pre-install,pre-upgrade" if mode == "hook" else "")
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    waits = {
        name: pod["spec"]["initContainers"][0]["args"]
        for name, pod in pods(release.objects).items()
        if "initContainers" in pod["spec"]
    }
    assert bool(waits) == (mode == "job")
    for name, args in waits.items():
        service = name.removeprefix("Deployment/kefu-").split("-")[0]
        assert args == ["migrate", service, "--wait", "600"]


def test_a_changed_migration_is_another_job() -> None:
    def names(tag: str) -> set[str]:
        return set(render("default", {"migrations": {"mode": "job"}, "image": {"tag": tag}}).of("Job"))

    assert names("1").isdisjoint(names("2"))
    assert names("1") == names("1")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_chart_makes_no_secret_and_names_only_declared_ones(environment: str) -> None:
    release = render(environment)
    assert not release.of("Secret")
    named = {name for pod in pods(release.everything).values() for kind, name in needs(pod) if kind == "Secret"}
    made = {
        secret["metadata"]["name"]
        for secret in first_set(SERVICES, namespace="kefu", postgres="p:1", nats="n:2", kid="k")
    }
    assert named - OWN_TLS <= made, "`kefu secrets` makes every Secret that the chart names"
    certificates = {one["spec"]["secretName"] for one in release.of("Certificate").values()}
    if environment in {"staging", "prod", "airgap"}:
        assert named & OWN_TLS == certificates == OWN_TLS


def test_an_outside_store_fills_every_secret() -> None:
    release = render("airgap")
    outside = release.of("ExternalSecret")
    named = {name for pod in pods(release.everything).values() for kind, name in needs(pod) if kind == "Secret"}
    assert named - OWN_TLS == set(outside)
    keys = {name: one["spec"]["dataFrom"][0]["extract"]["key"] for name, one in outside.items()}
    assert keys["kefu-intake-database"] == "kefu/intake-database"
    assert all(one["spec"]["target"]["name"] == name for name, one in outside.items())


def test_secrets_in_values_are_for_development() -> None:
    texts: dict[str, Any] = {"inlineSecrets": {"nats": {"url": "nats://kefu:x@nats:4222"}}}
    made = render("dev", texts).of("Secret")
    assert made["kefu-nats"]["stringData"] == {"url": "nats://kefu:x@nats:4222"}
    assert "inlineSecrets" in render("dev", texts).notes


def test_the_first_set_is_new_each_time() -> None:
    one, other = (first_set(SERVICES, namespace="kefu", postgres="p:1", nats="n:2", kid="k") for _ in range(2))
    for ours, theirs in zip(one, other, strict=True):
        assert ours["metadata"] == theirs["metadata"]
        assert ours["stringData"] != theirs["stringData"]
