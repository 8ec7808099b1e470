"""The real Helm installs, upgrades and tests the release, on a stand-in of a cluster (cluster.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helm_python import Config, HelmError

from services.stack.home import SERVICES
from tests.charts.cluster import PLAIN, Cluster, RefusedError, plural
from tests.charts.cluster_api import serving
from tests.charts.helm import CHART, ENVIRONMENTS, NAME, NAMESPACE, Object, render, values_of
from tests.charts.mounted import Secrets, secrets

pytestmark = pytest.mark.timeout(120)


@cache
def _secrets() -> Secrets:
    return secrets(render("prod"))


class Here:
    """Helm's actions on one release of a cluster."""

    def __init__(self, cluster: Cluster, kubeconfig: str) -> None:
        self.cluster = cluster
        # releases are kept in memory, since as Secrets they would come in a form that the stand-in does not read
        self._config = Config(
            kubeconfig_content=kubeconfig, namespace=NAMESPACE, storage_driver="memory", qps=10_000, burst_limit=10_000
        )

    def install(self, chart: Path, values: dict[str, Any]) -> Any:
        return self._config.install(chart, NAME, values, wait="hookOnly", timeout=30)

    def upgrade(self, chart: Path, values: dict[str, Any]) -> Any:
        return self._config.upgrade(chart, NAME, values, wait="hookOnly", timeout=30)

    def test(self) -> Any:
        return self._config.test(NAME, timeout=30)


@contextmanager
def here(
    *, operators: bool = False, prepared: bool = True, run: Callable[[Object], bool] = lambda _: True
) -> Iterator[Here]:
    """A cluster in which the Secrets of a first installation lie, as `kefu secrets` makes them."""
    with serving(operators=operators, run=run) as (cluster, kubeconfig):
        for name, texts in _secrets().items() if prepared else ():
            secret = {"kind": "Secret", "metadata": {"name": name}, "stringData": dict(texts)}
            cluster.write(("v1", "secrets", name), secret)
        cluster.written.clear()
        yield Here(cluster, kubeconfig)


def test_the_last_release_is_upgraded_to_this_one_and_passes_its_test(last: Path) -> None:
    ran: list[str] = []
    well = True

    def run(one: Object) -> bool:
        ran.append(one["metadata"]["name"])
        return well

    with here(run=run) as one:
        assert one.install(last, {})["revision"] == 1
        before = dict(one.cluster.of("Deployment"))
        well = False
        with pytest.raises(HelmError, match="pre-upgrade"):
            one.upgrade(CHART, {})
        assert one.cluster.of("Deployment") == before, "a migration that fails leaves what ran as it was"
        well = True
        ran.clear()
        one.cluster.written.clear()
        assert one.upgrade(CHART, {})["status"] == "deployed"
        assert sorted(ran) == [f"kefu-{service}-migrate" for service in sorted(SERVICES)]
        first = next(at for at, name in enumerate(one.cluster.written) if name.startswith("Deployment/"))
        assert {f"Job/{name}" for name in ran} <= set(one.cluster.written[:first]), "the schema comes first"
        assert not one.cluster.of("Job"), "what succeeded is taken away"
        one.test()
        assert ran[-1] == "kefu-smoke"


@pytest.mark.parametrize(("environment", "operators"), [("dev", False), ("prod", True)])
def test_an_environment_installs_where_its_operators_are(environment: str, operators: bool) -> None:
    with here(operators=operators) as one:
        assert one.install(CHART, values_of(ENVIRONMENTS[environment]))["status"] == "deployed"
        installed = {(kind, name) for _, kind, name in one.cluster.objects}
        assert installed >= {(plural(each["kind"]), each["metadata"]["name"]) for each in render(environment).objects}


def test_what_only_an_operator_brings_is_refused_without_it() -> None:
    with here() as one, pytest.raises(HelmError, match="unable to build kubernetes objects"):
        one.install(CHART, values_of(ENVIRONMENTS["prod"]))


def test_a_hook_that_would_wait_for_ever_fails_instead() -> None:
    with here(prepared=False) as one:
        with pytest.raises(HelmError, match="pre-install"):
            one.install(CHART, {})
        assert not one.cluster.of("Deployment")


def test_the_stand_in_refuses_what_the_api_server_would() -> None:
    cluster = Cluster(PLAIN, run=lambda _: True)
    key = ("apps/v1", "deployments", "kefu-intake")
    given = render().of("Deployment")["kefu-intake"]
    cluster.write(key, given)
    cluster.write(key, {**given, "spec": {**given["spec"], "replicas": 7}})
    with pytest.raises(RefusedError, match="selector: field is immutable"):
        cluster.write(key, {**given, "spec": {**given["spec"], "selector": {"matchLabels": {"app": "other"}}}})
    with pytest.raises(RefusedError, match="already exists"):
        cluster.write(key, given, new=True)
