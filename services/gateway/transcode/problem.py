"""Errors as application/problem+json (RFC 9457), in the caller's language."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import grpc
from kefu.common.v1 import errors_pb2

from services.gateway.transcode.encode import HttpReply
from services.kit.errors import KefuError, text

PROBLEM: Final = "application/problem+json"
STATUS: Final[dict[grpc.StatusCode, int]] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.INTERNAL: 500,
}
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def status_of(error: KefuError) -> int:
    """The HTTP status of an error."""
    if error.reason == errors_pb2.ERROR_REASON_MESSAGE_TOO_LARGE:
        return 413
    return STATUS.get(error.code, 500)


def problem_body(error: KefuError, locale: str, status: int) -> dict[str, Any]:
    """The members of the problem document."""
    words = dict(error.metadata)
    if error.fields:
        words.setdefault("fields", ", ".join(one.field for one in error.fields))
    body: dict[str, Any] = {
        "type": f"urn:kefu:error:{error.reason_name}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": text(error.reason_name, locale, words),
        "reason": error.reason_name,
    }
    if error.fields:
        body["fields"] = [
            {"field": one.field, "description": one.description, "reason": one.reason} for one in error.fields
        ]
    if error.metadata:
        body["metadata"] = error.metadata
    if "error_id" in error.metadata:
        body["errorId"] = error.metadata["error_id"]
    return body


def problem(error: KefuError, locale: str, *, status: int | None = None) -> HttpReply:
    """The whole response, with Retry-After where waiting helps and WWW-Authenticate where a token is missing."""
    code = status or status_of(error)
    headers = {"Content-Type": PROBLEM, "Content-Language": locale, "Cache-Control": "no-store"}
    if error.retry_after is not None or code in (429, 503):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after or 1)))
    if code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="kefu"'
    return HttpReply(code, json.dumps(problem_body(error, locale, code), ensure_ascii=False).encode(), headers)
