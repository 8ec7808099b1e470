"""The HTTP side of the stand-in: discovery, objects by their paths, watches."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from tests.charts.cluster import (
    CONFLICT,
    INVALID,
    MISSING,
    OPERATORS,
    PLAIN,
    Cluster,
    Key,
    Object,
    RefusedError,
    plural,
)


@contextmanager
def serving(
    *, operators: bool = False, run: Callable[[Object], bool] = lambda _: True
) -> Iterator[tuple[Cluster, str]]:
    """A cluster and the kubeconfig that leads there; `run` says whether a Job or pod ends well."""
    cluster = Cluster({**PLAIN, **(OPERATORS if operators else {})}, run=run)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Api,), {"cluster": cluster}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    entry = {"server": f"http://127.0.0.1:{server.server_port}"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": entry}],
        "users": [{"name": "we", "user": {}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "we", "namespace": "kefu"}}],
        "current-context": "here",
    }
    try:
        yield cluster, yaml.safe_dump(kubeconfig)
    finally:
        cluster.closed = True
        server.shutdown()
        server.server_close()
        thread.join()


class Api(BaseHTTPRequestHandler):
    """The HTTP side of it."""

    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name of the parent
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if query.get("watch") == "true":
                self._watch(parts.path, query)
            else:
                self._answer(HTTPStatus.OK, self._found(parts.path, query, body))
        except RefusedError as refused:
            reason = {CONFLICT: "AlreadyExists", INVALID: "Invalid", MISSING: "NotFound"}[refused.status]
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(refused)}
            self._answer(refused.status, {**status, "reason": reason, "code": refused.status})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names of the parent

    def _found(self, path: str, query: Mapping[str, str], body: bytes) -> Object:
        if (known := discovery(path, self.cluster.kinds)) is not None:
            return known
        version, what, name = parsed(path)
        if self.command == "POST":
            given = json.loads(body)
            return self.cluster.write((version, what, given["metadata"]["name"]), given, new=True)
        if self.command in {"PUT", "PATCH"}:
            return self.cluster.write((version, what, name), yaml.safe_load(body))
        if self.command == "DELETE":
            return self.cluster.delete((version, what, name))
        if name:
            if (version, what, name) not in self.cluster.objects:
                raise RefusedError(MISSING, f"{what} {name} not found")
            return self.cluster.objects[version, what, name]
        return self._list(version, what, query)

    def _watch(self, path: str, query: Mapping[str, str]) -> None:
        if "sendInitialEvents" in query:
            raise RefusedError(INVALID, "sendInitialEvents is not supported: list, then watch")
        version, what, _ = parsed(path)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):  # whoever watched has gone
            for change, one in self.cluster.watch(version, what, int(query.get("resourceVersion") or 0)):
                self.wfile.write(json.dumps({"type": change, "object": one}).encode() + b"\n")

    def _list(self, version: str, what: str, query: Mapping[str, str]) -> Object:
        wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if "=" in pair)
        field, _, value = query.get("fieldSelector", "").partition("=")
        items = [
            one
            for (at, kind, name), one in self.cluster.objects.items()
            if (at, kind) == (version, what)
            and wanted.items() <= one["metadata"].get("labels", {}).items()
            and (field != "metadata.name" or name == value)
        ]
        kind = next((kind for kind in self.cluster.kinds.get(version, ()) if plural(kind) == what), None)
        if kind is None:
            raise RefusedError(MISSING, f"{version} {what} not found")
        at = {"resourceVersion": str(self.cluster.revision)}
        return {"kind": f"{kind}List", "apiVersion": version, "metadata": at, "items": items}

    def _answer(self, status: HTTPStatus, document: Object) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def discovery(path: str, kinds: Mapping[str, tuple[str, ...]]) -> Object | None:
    """What there is, as /version, /api and /apis say it; None for other paths."""
    places = [f"{'apis' if '/' in version else 'api'}/{version}" for version in kinds]
    groups = []
    for version in kinds:
        if "/" in version:
            at = {"groupVersion": version, "version": version.split("/")[1]}
            groups.append({"name": version.split("/")[0], "versions": [at], "preferredVersion": at})
    whole: Mapping[str, Object] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        "/openapi/v3": {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}},
    }
    if path in whole:
        return whole[path]
    if path.startswith("/openapi/v3/"):
        return validation(path.removeprefix("/openapi/v3/"), kinds)
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in kinds:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    resources = [
        {"name": plural(kind), "kind": kind, "namespaced": kind != "Namespace", "verbs": verbs}
        for kind in kinds[version]
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def validation(place: str, kinds: Mapping[str, tuple[str, ...]]) -> Object:
    """Says of every kind that the server validates it itself, so that Helm need not."""
    version = place.removeprefix("apis/").removeprefix("api/")
    group = version.split("/")[0] if "/" in version else ""
    paths = {}
    for kind in kinds[version]:
        patched = {
            "x-kubernetes-group-version-kind": {"group": group, "version": version.split("/")[-1], "kind": kind},
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
        }
        paths[f"/{place}/namespaces/{{namespace}}/{plural(kind)}/{{name}}"] = {"patch": patched}
    return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "1"}, "paths": paths}


def parsed(path: str) -> Key:
    """API version, plural and name ("" for all) of /api/v1/namespaces/kefu/secrets/x and its like."""
    parts = path.strip("/").split("/")
    version, rest = (parts[1], parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if not rest:
        raise RefusedError(MISSING, f"{path} not found")
    return version, rest[0], rest[1] if len(rest) > 1 else ""
