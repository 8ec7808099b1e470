"""The OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from kefu.common.v1 import errors_pb2

from services.gateway.openapi.comments import read_comments
from services.gateway.openapi.schema import PREFIX, Schema, Schemas
from services.gateway.transcode.encode import JSON
from services.gateway.transcode.problem import PROBLEM
from services.gateway.transcode.routes import Route, Routes, is_repeated, message_type
from services.gateway.transcode.values import is_text

_PREFIX: Final = "ERROR_REASON_"
_EVENTS: Final = "text/event-stream"
_ERRORS: Final = {
    "400": "The request is wrong; `fields` says where.",
    "401": "No valid session or token.",
    "403": "The caller may not do this here.",
    "404": "No such object or path.",
    "405": "The path does not know this verb.",
    "409": "The object's state or the site's rules do not allow it, or somebody changed it in between.",
    "412": "The object changed since the ETag in If-Match was read.",
    "413": "The body is too large.",
    "429": "Too many calls; repeat after Retry-After seconds.",
    "500": "A fault of ours; `errorId` finds it in the log.",
    "503": "A part is away; repeat after Retry-After seconds.",
    "504": "It took too long; repeat with the same Idempotency-Key.",
}
_PROSE: Final = """Customer service run by a company's own written rules.

Authenticate with `Authorization: Bearer <token>`: a service account gets its token from `POST /oauth/token` (client
credentials), and gives each of its customers a channel token from `POST /oauth/channelToken`. Every write takes the
header `Idempotency-Key` (or the field `requestId`): sent twice, done once. Errors are problem+json (RFC 9457); decide
by `reason`. Streams are Server-Sent Events; the id of each is a cursor, and `Last-Event-ID` goes on from there."""


def document(routes: Routes, image: bytes, *, public_url: str, version: str) -> dict[str, Any]:
    """Build the document of every route."""
    comments = read_comments(image)
    schemas = Schemas(comments)
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    for route in routes.all:
        path, parameters = route.template.openapi()
        service = route.method.containing_service
        tags[service.name] = comments.get(service.full_name, "")
        paths.setdefault(path, {})[route.verb.lower()] = _operation(route, parameters, schemas, comments)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kefu", "version": version, "description": _PROSE, "license": {"name": "Proprietary"}},
        "servers": [{"url": public_url}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "security": [{"bearer": []}, {"session": [], "csrf": []}],
        "paths": paths,
        "components": {
            "schemas": {**dict(sorted(schemas.components.items())), "Problem": _problem()},
            "responses": {f"E{code}": _error(code, text) for code, text in _ERRORS.items()},
            "securitySchemes": _security_schemes(),
        },
    }


def _operation(
    route: Route, path_parameters: list[tuple[str, str]], schemas: Schemas, comments: Mapping[str, str]
) -> dict[str, Any]:
    description = comments.get(route.method.full_name, "")
    operation: dict[str, Any] = {
        "operationId": f"{route.package}_{route.method.name}",
        "tags": [route.method.containing_service.name],
        "summary": description.split(". ")[0].split(".\n")[0].replace("\n", " ").rstrip(".")[:120],
        "description": f"{description}\n\nPermission: `{route.permission}`.".strip(),
        "parameters": [_path_parameter(name, field, route) for name, field in path_parameters],
        "responses": _responses(route, schemas),
        "x-kefu-method": route.path.lstrip("/"),
        "x-kefu-permission": route.permission,
    }
    operation["parameters"] += _query_parameters(route, schemas)
    operation["parameters"] += _header_parameters(route)
    if route.permission == "public":
        operation["security"] = []
    if route.body:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _body(route, schemas)}}}
    return operation


def _body(route: Route, schemas: Schemas) -> Schema:
    request = route.method.input_type
    if route.body != "*":
        return schemas.reference(message_type(request.fields_by_name[route.body]), reply=False)
    from_path = frozenset(name for name in route.template.fields if "." not in name)
    return schemas.message(request, reply=False, without=from_path)


def _path_parameter(name: str, field: str, route: Route) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
        "description": f"Part of `{field}` of {route.method.input_type.name}.",
    }


def _query_parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    if route.body == "*":
        return []
    taken = {name.split(".", 1)[0] for name in route.template.fields} | {route.body}
    found: list[dict[str, Any]] = []
    _collect(route.method.input_type, "", taken, schemas, found, depth=0)
    return found


def _collect(
    message: Descriptor, prefix: str, taken: set[str], schemas: Schemas, found: list[dict[str, Any]], *, depth: int
) -> None:
    for field in message.fields:
        if not prefix and field.name in taken:
            continue
        if field.message_type is not None and not is_text(field.message_type):
            if depth < 2 and not is_repeated(field) and not field.message_type.GetOptions().map_entry:
                inner = f"{prefix}{field.json_name}."
                _collect(field.message_type, inner, taken, schemas, found, depth=depth + 1)
            continue
        found.append(_query_parameter(field, prefix, schemas))


def _query_parameter(field: FieldDescriptor, prefix: str, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.field(field, reply=False)
    parameter: dict[str, Any] = {"name": f"{prefix}{field.json_name}", "in": "query"}
    if "description" in schema and "$ref" not in schema:
        parameter["description"] = schema.pop("description")
    parameter["schema"] = schema
    if is_repeated(field):
        parameter["style"], parameter["explode"] = "form", True
    return parameter


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    text = {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9_.:-]+$"}
    if "request_id" in route.method.input_type.fields_by_name:
        words = "Sent twice, done once; the same as `requestId`."
        found.append({"name": "Idempotency-Key", "in": "header", "schema": text, "description": words})
    if route.etag_field:
        words = "ETag of the version that is to be changed; another one is refused with 412."
        found.append({"name": "If-Match", "in": "header", "schema": {"type": "string"}, "description": words})
    if route.streaming:
        words = "Cursor of the last event seen."
        found.append({"name": "Last-Event-ID", "in": "header", "schema": text, "description": words})
    return found


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    reply = schemas.reference(route.method.output_type, reply=True)
    content: dict[str, Any] = {_EVENTS if route.streaming else JSON: {"schema": reply}}
    if route.file_holder is not None:
        content["*/*"] = {"schema": {"type": "string", "format": "binary"}}
    responses: dict[str, Any] = {"200": {"description": "Done.", "content": content}}
    if route.streaming:
        responses["307"] = {"description": "The stream is served by another origin; follow it."}
    codes = [code for code in _ERRORS if code != "412" or route.etag_field]
    return responses | {code: {"$ref": f"#/components/responses/E{code}"} for code in codes}


def _error(code: str, text: str) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": text,
        "content": {PROBLEM: {"schema": {"$ref": f"{PREFIX}Problem"}}},
    }
    if code in ("429", "503"):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return response


def _problem() -> Schema:
    reasons = [name.removeprefix(_PREFIX) for name in errors_pb2.ErrorReason.keys()[1:]]
    violation = {
        "type": "object",
        "required": ["field", "description", "reason"],
        "properties": {
            "field": {"type": "string"},
            "description": {"type": "string"},
            "reason": {"type": "string"},
        },
    }
    return {
        "type": "object",
        "description": "RFC 9457. Decide by `reason`; `detail` is for people, in the caller's language.",
        "required": ["type", "title", "status", "detail", "reason"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "reason": {"type": "string", "enum": reasons},
            "fields": {"type": "array", "items": violation},
            "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
            "errorId": {"type": "string"},
        },
    }


def _security_schemes() -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From /oauth/token."},
        "session": {"type": "apiKey", "in": "cookie", "name": "kefu_session", "description": "Of the console."},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token", "description": "With every cookie write."},
    }
