"""The restricted Pod Security Standard, as Kubernetes 1.34 documents it, and two additions of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.charts.helm import Object, containers

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST = ("hostNetwork", "hostPID", "hostIPC")


def faults(pod: Object) -> Iterator[str]:
    """Where a pod departs from the standard, and from a read-only root and no service account token."""
    spec = pod["spec"]
    security = spec.get("securityContext", {})
    yield from (f"spec.{key} is set" for key in HOST if spec.get(key))
    if security.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "spec.securityContext.seccompProfile.type is not RuntimeDefault"
    if security.get("runAsNonRoot") is not True:
        yield "spec.securityContext.runAsNonRoot is not true"
    if not security.get("runAsUser"):
        yield "spec.securityContext.runAsUser is root or left to the image"
    if spec.get("automountServiceAccountToken") is not False:
        yield "spec.automountServiceAccountToken is not false"
    for volume in spec.get("volumes", ()):
        kind = next(key for key in volume if key != "name")
        if kind not in VOLUMES:
            yield f"volume {volume['name']} is {kind}"
        if kind == "emptyDir" and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {volume['name']} has no sizeLimit"
    for container in containers(pod):
        yield from (f"container {container['name']}: {fault}" for fault in _container(container))


def _container(container: Object) -> Iterator[str]:
    security: dict[str, Any] = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if security.get("privileged"):
        yield "privileged"
    if security.get("capabilities", {}).get("drop") != ["ALL"] or security.get("capabilities", {}).get("add"):
        yield "capabilities other than none"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem is not true"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort"
    if security.get("runAsUser") == 0:
        yield "runAsUser is 0"
