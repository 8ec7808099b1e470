"""A pod's files and variables on this machine, laid as the kubelet lays them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from services.kit.testing.tls import Authority
from services.stack.cluster_secrets import first_set
from services.stack.home import SERVICES
from tests.charts.helm import Object, Release

ETC = "/etc/kefu"
Secrets = Mapping[str, Mapping[str, str]]


def programs(release: Release) -> Iterator[tuple[str, Object, Object]]:
    """Name, container and pod of every deployment."""
    for name, one in release.of("Deployment").items():
        pod = one["spec"]["template"]["spec"]
        yield name, pod["containers"][0], pod


def secrets(release: Release) -> Secrets:
    """What `kefu secrets` makes, and what cert-manager makes of the release's Certificates, for localhost too."""
    authority = Authority()
    made = first_set(SERVICES, namespace="kefu", postgres="db:5432", nats="nats:4222", kid="2026-11-25")
    asked = {f"kefu-{service}-tls": (service, [f"kefu-{service}"]) for service in SERVICES} | {
        one["spec"]["secretName"]: (one["spec"]["commonName"], one["spec"]["dnsNames"])
        for one in release.of("Certificate").values()
    }
    certificates = {name: authority.issue(of, [*hosts, "localhost"]) for name, (of, hosts) in asked.items()}
    return {one["metadata"]["name"]: one["stringData"] for one in made} | certificates


class Mounted:
    """A pod's files in a folder, and its environment with the paths moved there."""

    def __init__(self, release: Release, deployment: str, folder: Path, given: Secrets) -> None:
        self._given = given
        self._maps = release.of("ConfigMap")
        _, container, pod = next(found for found in programs(release) if found[0] == deployment)
        paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for volume in pod["volumes"]:
            if paths[volume["name"]].startswith(ETC):
                _lay(folder / paths[volume["name"]].removeprefix("/"), self._texts(volume))
        self.args: list[str] = container["args"]
        self.env = {pair["name"]: self._value(pair, folder) for pair in container["env"]}

    def _texts(self, volume: Object) -> Mapping[str, str]:
        if "projected" in volume:
            maps = [self._maps[source["configMap"]["name"]] for source in volume["projected"]["sources"]]
            return {key: text for one in maps for key, text in one["data"].items()}
        return self._given[volume["secret"]["secretName"]]

    def _value(self, pair: Object, folder: Path) -> str:
        if "valueFrom" in pair:
            reference = pair["valueFrom"]["secretKeyRef"]
            return self._given[reference["name"]][reference["key"]]
        value = str(pair["value"])
        return str(folder / value.removeprefix("/")) if value.startswith(ETC) else value


def _lay(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files as the kubelet does: through links, so that all change at one moment."""
    data = folder / "..2026_11_25_00_00_00.1"
    data.mkdir(parents=True)
    for name, text in texts.items():
        (data / name).write_text(text, encoding="utf-8")
        (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to(data.name)
