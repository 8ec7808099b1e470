"""Errors on the wire: google.rpc.Status with exactly one ErrorInfo, and back to typed errors on the caller's side."""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from kefu.common.v1 import errors_pb2

from services.kit.errors import tree
from services.kit.errors.texts import text
from services.kit.errors.tree import FieldViolation, KefuError

DOMAIN: Final = "kefu"
DETAILS_KEY: Final = "grpc-status-details-bin"
# Trailers count towards the peer's header limit (8 KiB), so a request with hundreds of faults names the first.
MAX_FIELDS: Final = 16
_MAX_DESCRIPTION: Final = 200

_BY_CODE: Final[dict[grpc.StatusCode, type[KefuError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: tree.InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: tree.InvalidArgument,
    grpc.StatusCode.NOT_FOUND: tree.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: tree.AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: tree.FailedPrecondition,
    grpc.StatusCode.ABORTED: tree.Aborted,
    grpc.StatusCode.PERMISSION_DENIED: tree.PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: tree.Unauthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: tree.ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: tree.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: tree.DeadlineExceeded,
    grpc.StatusCode.CANCELLED: tree.Unavailable,
    grpc.StatusCode.INTERNAL: tree.Internal,
    grpc.StatusCode.UNKNOWN: tree.Internal,
    grpc.StatusCode.DATA_LOSS: tree.Internal,
    grpc.StatusCode.UNIMPLEMENTED: tree.Internal,
}
_CODE_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


def to_status(error: KefuError, locale: str) -> status_pb2.Status:
    """The status of an error: English message, ErrorInfo, BadRequest, RetryInfo, and the text in the locale."""
    words = {**error.metadata}
    if error.fields:
        words.setdefault("fields", ", ".join(violation.field for violation in error.fields[:MAX_FIELDS]))
    status = status_pb2.Status(code=error.code.value[0], message=text(error.reason_name, "en", words))
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=error.reason_name, domain=DOMAIN, metadata=error.metadata)
    )
    if error.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field, description=violation.description[:_MAX_DESCRIPTION], reason=violation.reason
            )
            for violation in error.fields[:MAX_FIELDS]
        ]
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    status.details.add().Pack(
        error_details_pb2.LocalizedMessage(locale=locale, message=text(error.reason_name, locale, words))
    )
    return status


def from_status(status: status_pb2.Status) -> KefuError:
    """The typed error of a status; without our ErrorInfo it is the class of its code, with the usual reason."""
    kind = _BY_CODE.get(_CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN), tree.Internal)
    reason: int = kind.usual_reason
    metadata: dict[str, str] = {}
    fields: list[FieldViolation] = []
    retry_after: float | None = None
    for detail in status.details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(info) and info.domain == DOMAIN:
            # A reason newer than this build keeps the usual one of its class.
            value = errors_pb2.ErrorReason.DESCRIPTOR.values_by_name.get(f"ERROR_REASON_{info.reason}")
            reason = reason if value is None else value.number
            metadata = dict(info.metadata)
        elif detail.Unpack(bad_request):
            fields += [FieldViolation(one.field, one.description, one.reason) for one in bad_request.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return kind(reason, metadata, fields=fields, retry_after=retry_after)


def from_rpc_error(code: grpc.StatusCode, message: str, details: bytes | None) -> KefuError:
    """The typed error of a failed call: from the status in its trailers, or from the bare code where there is none."""
    status = status_pb2.Status(code=code.value[0], message=message)
    if details:
        status = status_pb2.Status.FromString(details)
    return from_status(status)
