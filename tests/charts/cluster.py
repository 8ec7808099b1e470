"""A stand-in for a cluster: what the real Helm needs of the Kubernetes API to install, upgrade and test a release.

It stores what it is given and refuses what the API server would refuse: changes of immutable fields, and pods that name
a ServiceAccount, Secret or ConfigMap that is not there, which would wait for it for ever. Jobs and pods end at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

Object = dict[str, Any]
Key = tuple[str, str, str]  # API version, plural, name

# Kubernetes refuses changes of these (validation of updates in the API server).
IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"),
    "Job": ("selector", "template", "completions", "completionMode"),
    "Service": ("clusterIP",),
    "PersistentVolumeClaim": ("accessModes", "storageClassName", "volumeName"),
}
PLAIN: Final = {
    "v1": ("Secret", "ConfigMap", "ServiceAccount", "Service", "Pod", "Namespace"),
    "apps/v1": ("Deployment", "ReplicaSet"),
    "batch/v1": ("Job",),
    "networking.k8s.io/v1": ("NetworkPolicy", "Ingress"),
    "policy/v1": ("PodDisruptionBudget",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
}
OPERATORS: Final = {
    "monitoring.coreos.com/v1": ("ServiceMonitor", "PrometheusRule"),
    "keda.sh/v1alpha1": ("ScaledObject",),
    "external-secrets.io/v1": ("ExternalSecret",),
    "cert-manager.io/v1": ("Certificate",),
    "gateway.networking.k8s.io/v1": ("HTTPRoute",),
}
CONFLICT, INVALID, MISSING = HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND


class RefusedError(Exception):
    """What the API server would not do."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


def plural(kind: str) -> str:
    """The name of a kind in paths."""
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}es" if lower.endswith("s") else f"{lower}s"


class Cluster:
    """The objects, and every name in the order in which it was written."""

    def __init__(self, kinds: Mapping[str, tuple[str, ...]], *, run: Callable[[Object], bool]) -> None:
        self.kinds = kinds
        self.objects: dict[Key, Object] = {}
        self.written: list[str] = []
        self.closed = False
        self._run = run
        self._events: list[tuple[Key, str, Object]] = []
        self._news = threading.Condition()

    def of(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by name."""
        return {name: one for (_, what, name), one in self.objects.items() if what == plural(kind)}

    def write(self, key: Key, given: Object, *, new: bool = False) -> Object:
        """Store an object; raises RefusedError."""
        with self._news:
            old = self.objects.get(key)
            if new and old is not None:
                raise RefusedError(CONFLICT, f"{key[1]} {key[2]} already exists")
            kind = given["kind"]
            for field in IMMUTABLE.get(kind, ()) if old is not None else ():
                if old is not None and old["spec"].get(field) != given["spec"].get(field):
                    raise RefusedError(INVALID, f"{kind} {key[2]} is invalid: spec.{field}: field is immutable")
            one = {"apiVersion": key[0], **given}
            revision = len(self._events) + 1
            one["metadata"] = {
                "uid": f"uid-{revision}",
                "creationTimestamp": "2026-11-25T00:00:00Z",
                **given["metadata"],
                "namespace": "kefu",
                "name": key[2],
                "resourceVersion": str(revision),
                "generation": 1,
            }
            if status := self._status(kind, one):
                one["status"] = status
            self.objects[key] = one
            self.written.append(f"{kind}/{key[2]}")
            self._tell(key, "MODIFIED" if old else "ADDED", one)
            return one

    def delete(self, key: Key) -> Object:
        """Forget an object; raises RefusedError."""
        with self._news:
            if key not in self.objects:
                raise RefusedError(MISSING, f"{key[1]} {key[2]} not found")
            one = self.objects.pop(key)
            self._tell(key, "DELETED", one)
            return one

    @property
    def revision(self) -> int:
        """How often anything changed."""
        return len(self._events)

    def watch(self, version: str, what: str, since: int) -> Iterator[tuple[str, Object]]:
        """What changed of a kind after a revision, until the cluster is closed."""
        while not self.closed:
            with self._news:
                fresh = self._events[since:] or (self._news.wait(0.1) and self._events[since:]) or []
                since += len(fresh)
            yield from ((change, one) for key, change, one in fresh if key[:2] == (version, what))

    def _tell(self, key: Key, change: str, one: Object) -> None:
        self._events.append((key, change, one))
        self._news.notify_all()

    def _status(self, kind: str, one: Object) -> Object | None:
        """How a Job or pod ended: badly where what it names is not there, else as `run` says."""
        pod = one["spec"]["template"]["spec"] if kind == "Job" else one.get("spec")
        if kind not in {"Job", "Pod"} or pod is None:
            return None
        missing = [f"{what} {name}" for what, name in named(pod) if name not in self.of(what)]
        well = not missing and self._run(one)
        words = f"waits for ever for {', '.join(missing)}" if missing else "ran"
        if kind == "Pod":
            return {"phase": "Succeeded" if well else "Failed", "message": words}
        condition = {"type": "Complete" if well else "Failed", "status": "True", "message": words, "reason": "Ended"}
        return {"conditions": [condition], "succeeded": int(well), "failed": int(not well)}


def named(pod: Object) -> Iterator[tuple[str, str]]:
    """(kind, name) of every object that a pod cannot start without."""
    if "serviceAccountName" in pod:
        yield "ServiceAccount", pod["serviceAccountName"]
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        for pair in container.get("env", ()):
            if "secretKeyRef" in pair.get("valueFrom", {}):
                yield "Secret", pair["valueFrom"]["secretKeyRef"]["name"]
    for volume in pod.get("volumes", ()):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", ()):
            yield "ConfigMap", source["configMap"]["name"]
