"""The routes of all services, read from the descriptors: which path and verb is which RPC, how it is filled."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from kefu.common.v1 import options_pb2

from services.gateway.transcode.template import Template

UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One HTTP binding of one RPC.

    `body` is "" (no body), "*" (the whole request) or a field. `etag_field` is where an If-Match goes, "" for nowhere.
    `file_holder` is set for replies that are files, see `file_holder()`.
    """

    verb: str
    template: Template
    body: str
    method: MethodDescriptor
    request_class: type[Message]
    reply_class: type[Message]
    permission: str
    streaming: bool
    safe: bool
    etag_field: str
    file_holder: str | None

    @property
    def path(self) -> str:
        """The full gRPC path, "/kefu.intake.v1.ConversationService/GetConversation"."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def package(self) -> str:
        """Which service it belongs to: "intake" of kefu.intake.v1."""
        return package_of(self.method.containing_service.full_name)


def package_of(full_name: str) -> str:
    """The service's name inside a full proto name: "kefu.intake.v1.SiteService" → "intake"."""
    parts = full_name.split(".")
    return parts[1] if parts[0] == "kefu" and len(parts) > 2 else parts[0]


class Routes:
    """All routes, found by verb and path without trying each."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.all = tuple(routes)
        self._by_shape: Mapping[tuple[int, str], list[Route]] = defaultdict(list)
        for route in self.all:
            self._by_shape[route.template.segments, route.template.verb].append(route)
        self._by_shape = dict(self._by_shape)

    def find(self, verb: str, path: str) -> tuple[Route, tuple[str, ...]] | frozenset[str]:
        """The route and its path values, or the verbs that the path does know (none: the path is unknown)."""
        allowed = set()
        for route, values in self._matching(path):
            if route.verb == verb:
                return route, values
            allowed.add(route.verb)
        return frozenset(allowed)

    def _matching(self, path: str) -> Iterator[tuple[Route, tuple[str, ...]]]:
        last = path.rsplit("/", 1)[-1]
        verb = last.rsplit(":", 1)[1] if ":" in last else ""
        for segments in (path.count("/"), -1):
            for route in self._by_shape.get((segments, verb), ()):
                values = route.template.match(path)
                if values is not None:
                    yield route, values


def read_routes(image: bytes, *, packages: Iterable[str] = ("kefu.",)) -> Routes:
    """Build the routes of every method with an http rule in a serialised FileDescriptorSet.

    Generated modules of the files are imported, so that clients and handlers share one set of message classes.
    """
    files = descriptor_pb2.FileDescriptorSet.FromString(image)
    routes: list[Route] = []
    for file in files.file:
        if file.package.startswith(tuple(packages)) and file.service:
            importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
            for service in file.service:
                routes += _service_routes(f"{file.package}.{service.name}")
    return Routes(routes)


def _service_routes(name: str) -> Iterator[Route]:
    service = descriptor_pool.Default().FindServiceByName(name)
    for method in service.methods:
        for rule in http_rules(method):
            yield _route(method, rule)


def http_rules(method: MethodDescriptor) -> list[http_pb2.HttpRule]:
    """The http rule of a method with its additional bindings; empty without one."""
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return []
    rule = options.Extensions[annotations_pb2.http]
    return [rule, *rule.additional_bindings]


def permission_of(method: MethodDescriptor) -> str:
    """The declared permission; empty when the method is closed."""
    return str(method.GetOptions().Extensions[options_pb2.permission])


def _route(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Route:
    kind = rule.WhichOneof("pattern")
    verb, path = (rule.custom.kind, rule.custom.path) if kind == "custom" else (str(kind), getattr(rule, str(kind)))
    idempotency = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    return Route(
        verb=verb.upper(),
        template=Template.parse(path),
        body=rule.body,
        method=method,
        request_class=message_factory.GetMessageClass(method.input_type),
        reply_class=message_factory.GetMessageClass(method.output_type),
        permission=permission_of(method),
        streaming=bool(method.server_streaming),
        safe=method.GetOptions().idempotency_level == idempotency,
        etag_field=_etag_field(method.input_type, rule.body),
        file_holder=file_holder(method.output_type),
    )


def _etag_field(request: Descriptor, body: str) -> str:
    if "etag" in request.fields_by_name:
        return "etag"
    inner = request.fields_by_name.get(body)
    if inner is not None and inner.message_type is not None and "etag" in inner.message_type.fields_by_name:
        return f"{body}.etag"
    return ""


def file_holder(reply: Descriptor) -> str | None:
    """Where a reply that is a file says its name and media type: "" in itself, or the field; None for other replies."""
    content = reply.fields_by_name.get("content")
    if content is None or content.type != FieldDescriptor.TYPE_BYTES:
        return None
    for holder, names in [("", reply), *((f.name, f.message_type) for f in reply.fields if f.message_type is not None)]:
        if "media_type" in names.fields_by_name and "file_name" in names.fields_by_name:
            return holder
    return None


def message_type(field: FieldDescriptor) -> Descriptor:
    """The message that a field holds; raises TypeError for a field of another kind, which the contract rules out."""
    found: Descriptor | None = field.message_type
    if found is None:
        raise TypeError(f"{field.full_name} holds no message")
    return found


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field holds many values (protobuf's own property is missing in older type stubs)."""
    flag: Any = field.is_repeated
    return bool(flag() if callable(flag) else flag)
