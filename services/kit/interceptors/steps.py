"""The steps of the chain, in order, as data: each is compiled for a method once, or left out where it has no use.

Two kinds: a call step runs once per call, before any message; a message step runs on every request message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import protovalidate
from google.protobuf.message import DecodeError
from kefu.common.v1 import errors_pb2

from services.kit.auth import TokenVerifier
from services.kit.call import Call
from services.kit.deadline import Deadline
from services.kit.errors.texts import choose_locale
from services.kit.errors.tree import FieldViolation, InvalidArgument, PermissionDenied, Unauthenticated
from services.kit.interceptors.enums import known_enums
from services.kit.interceptors.method import AUTHENTICATED, PUBLIC, Method
from services.kit.interceptors.nul import refuse_nul
from services.kit.interceptors.sites import site_of
from services.kit.telemetry.trace import Tracer

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps need; one per server."""

    verifier: TokenVerifier
    tracer: Tracer
    validator: protovalidate.Validator
    unary_seconds: float = 10.0
    stream_seconds: float = 3600.0
    # Who may call, by the common name of their certificate; None where no certificate is asked for.
    callers: frozenset[str] | None = None


@dataclass(slots=True)
class Headers:
    """The metadata that the chain reads, found in one pass."""

    authorization: str | None = None
    traceparent: str | None = None
    language: str | None = None


def read_headers(metadata: Metadata) -> Headers:
    """Pick ours out of a call's metadata; everything else, baggage included, goes no further."""
    headers = Headers()
    for key, value in metadata:
        if key == "authorization":
            headers.authorization = str(value)
        elif key == "traceparent":
            headers.traceparent = str(value)
        elif key == "accept-language":
            headers.language = str(value)
    return headers


CallStep = Callable[[Call, Headers, "grpc.aio.ServicerContext[Any, Any]"], None]
MessageStep = Callable[[Call, Any], Any]


def _caller(tools: Tools, _: Method) -> CallStep | None:
    allowed = tools.callers
    if allowed is None:
        return None

    def caller(_: Call, __: Headers, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        names = iter(context.auth_context().get("x509_common_name", ()))
        name = next(names, b"").decode("utf-8", "replace")
        if name not in allowed:
            raise PermissionDenied(errors_pb2.ERROR_REASON_CALLER_UNDECLARED, {"caller": name})

    return caller


def _trace(tools: Tools, _: Method) -> CallStep:
    begin = tools.tracer.begin

    def trace(call: Call, headers: Headers, __: object) -> None:
        call.trace = begin(headers.traceparent)
        if headers.language is not None:
            call.locale = choose_locale(headers.language)

    return trace


def _deadline(tools: Tools, method: Method) -> CallStep:
    default = tools.stream_seconds if method.server_streaming or method.client_streaming else tools.unary_seconds

    def deadline(call: Call, _: Headers, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        remaining = context.time_remaining()
        call.deadline = Deadline(default if remaining is None else remaining)

    return deadline


def _authenticate(tools: Tools, method: Method) -> CallStep | None:
    if method.permission == PUBLIC:
        return None
    verify = tools.verifier.verify

    def authenticate(call: Call, headers: Headers, _: object) -> None:
        authorization = headers.authorization
        if authorization is None or not authorization.startswith("Bearer "):
            raise Unauthenticated
        call.token = token = authorization[7:]
        call.principal = principal = verify(token)
        if headers.language is None:
            wanted = principal.claims.get("locale")
            if wanted is not None:
                call.locale = choose_locale(str(wanted))

    return authenticate


def _decode(_: Tools, method: Method) -> MessageStep:
    parse = method.request.FromString
    name = method.descriptor.full_name

    def decode(_: Call, data: bytes) -> Any:
        if len(data) > MAX_MESSAGE_BYTES:
            raise InvalidArgument(errors_pb2.ERROR_REASON_MESSAGE_TOO_LARGE, {"limit": str(MAX_MESSAGE_BYTES)})
        try:
            message = parse(data)
        except DecodeError as error:
            raise InvalidArgument(
                errors_pb2.ERROR_REASON_MALFORMED_REQUEST, {"detail": f"the bytes are no {name}"}
            ) from error
        if 0 in data:  # seldom, so that the walk costs an ordinary call nothing
            refuse_nul(message)
        return message

    return decode


def _permit(_: Tools, method: Method) -> MessageStep:
    permission = method.permission
    site = site_of(method.descriptor)
    if not permission:

        def closed(_: Call, __: Any) -> None:
            raise PermissionDenied(errors_pb2.ERROR_REASON_METHOD_CLOSED)

        return closed
    checked = permission not in (PUBLIC, AUTHENTICATED)

    def permit(call: Call, request: Any) -> None:
        if site is not None:
            call.site = site(request)
        if checked and not call.principal.may(permission, call.site):
            raise PermissionDenied(metadata={"permission": permission})

    return permit


def _enums(_: Tools, method: Method) -> MessageStep | None:
    check = known_enums(method.descriptor)
    return None if check is None else lambda _, request: check(request)


def _validate(tools: Tools, _: Method) -> MessageStep:
    collect = tools.validator.collect_violations

    def validate(_: Call, request: Any) -> None:
        violations = collect(request)
        if violations:
            raise InvalidArgument(fields=[_violation(violation) for violation in violations])

    return validate


def _violation(violation: protovalidate.Violation) -> FieldViolation:
    found = violation.proto
    path = ""
    for element in found.field.elements if found.field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value!r}]"
    return FieldViolation(path, found.message or found.rule_id, found.rule_id)


def _fingerprint(_: Tools, method: Method) -> MessageStep | None:
    if "request_id" not in method.descriptor.fields_by_name or method.client_streaming:
        return None
    start = hashlib.blake2b(method.name.encode(), digest_size=16)

    def fingerprint(call: Call, request: Any) -> None:
        request_id = request.request_id
        if not request_id:
            return
        # Cheaper than a copy; nobody else sees the message yet.
        request.request_id = ""
        digest = start.copy()
        digest.update(request.SerializeToString(deterministic=True))
        request.request_id = request_id
        call.request_id = request_id
        call.fingerprint = digest.digest()

    return fingerprint


CALL_STEPS: Final[tuple[tuple[str, Callable[[Tools, Method], CallStep | None]], ...]] = (
    ("trace", _trace),
    ("caller", _caller),
    ("deadline", _deadline),
    ("authenticate", _authenticate),
)
MESSAGE_STEPS: Final[tuple[tuple[str, Callable[[Tools, Method], MessageStep | None]], ...]] = (
    ("decode", _decode),
    ("known_enums", _enums),
    ("permit", _permit),
    ("validate", _validate),
    ("fingerprint", _fingerprint),
)
# What follows is done by the handler itself: run the method, turn an error into a status, measure, close the span, log.
CLOSING: Final = ("handle", "status", "metrics", "trace_end", "log")
ORDER: Final = tuple(name for name, _ in (*CALL_STEPS, *MESSAGE_STEPS)) + CLOSING
