"""The exception tree: each class stands for one canonical gRPC code, the reason says what exactly went wrong."""

# ruff: noqa: N818 - the classes are named after the canonical codes that they stand for

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import grpc
from kefu.common.v1 import errors_pb2

_PREFIX: Final = "ERROR_REASON_"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that breaks a rule: its path ("conversation.queue"), what is wrong with it, and the rule's id."""

    field: str
    description: str
    reason: str = ""


class KefuError(Exception):
    """A failure that the caller is told about; anything else leaves as INTERNAL with an opaque id.

    `reason` is a value of kefu.common.v1.ErrorReason and each class has one for the plain case. `metadata` fills the
    placeholders of the reason's text and travels in the ErrorInfo, so it holds ids and states, never personal data.
    `retry_after` (seconds) is sent as RetryInfo.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN
    usual_reason: ClassVar[int] = errors_pb2.ERROR_REASON_UNSPECIFIED

    def __init__(
        self,
        reason: int | None = None,
        metadata: Mapping[str, str] | None = None,
        *,
        fields: Iterable[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        self.reason = int(self.usual_reason if reason is None else reason)
        self.metadata = dict(metadata or {})
        self.fields = tuple(fields)
        self.retry_after = retry_after
        super().__init__(self.reason, self.metadata)

    @property
    def reason_name(self) -> str:
        """The reason as it is written on the wire, without the enum's prefix: "VERSION_CONFLICT"."""
        return errors_pb2.ErrorReason.Name(errors_pb2.ErrorReason.ValueType(self.reason)).removeprefix(_PREFIX)

    def __str__(self) -> str:
        parts = [f"{self.code.name} {self.reason_name}"]
        parts += [f"{key}={value}" for key, value in sorted(self.metadata.items())]
        parts += [f"{violation.field}: {violation.description}" for violation in self.fields]
        return ", ".join(parts)


class InvalidArgument(KefuError):
    """The request itself is wrong, whatever the state of the system."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    usual_reason = errors_pb2.ERROR_REASON_INVALID_FIELD

    @classmethod
    def field(cls, path: str, description: str, reason: str = "") -> InvalidArgument:
        """The common case: one field at `path` is wrong."""
        return cls(fields=[FieldViolation(path, description, reason)])


class NotFound(KefuError):
    """No such object at this site."""

    code = grpc.StatusCode.NOT_FOUND
    usual_reason = errors_pb2.ERROR_REASON_NOT_FOUND


class AlreadyExists(KefuError):
    """An object with that id or key exists."""

    code = grpc.StatusCode.ALREADY_EXISTS
    usual_reason = errors_pb2.ERROR_REASON_ALREADY_EXISTS


class FailedPrecondition(KefuError):
    """The object's state, or the site's rules, do not allow it now."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    usual_reason = errors_pb2.ERROR_REASON_WRONG_STATE


class Aborted(KefuError):
    """Lost a race; read again and repeat."""

    code = grpc.StatusCode.ABORTED
    usual_reason = errors_pb2.ERROR_REASON_VERSION_CONFLICT


class PermissionDenied(KefuError):
    """The caller may not; never says whether the object exists."""

    code = grpc.StatusCode.PERMISSION_DENIED
    usual_reason = errors_pb2.ERROR_REASON_PERMISSION_MISSING


class Unauthenticated(KefuError):
    """No valid token."""

    code = grpc.StatusCode.UNAUTHENTICATED
    usual_reason = errors_pb2.ERROR_REASON_TOKEN_INVALID


class ResourceExhausted(KefuError):
    """Too much work waits already; repeat after `retry_after` seconds."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    usual_reason = errors_pb2.ERROR_REASON_OVERLOADED


class Unavailable(KefuError):
    """A part that the service needs is away, or the service is stopping; repeat."""

    code = grpc.StatusCode.UNAVAILABLE
    usual_reason = errors_pb2.ERROR_REASON_DEPENDENCY_DOWN


class DeadlineExceeded(KefuError):
    """The call's time is over; what it wrote may or may not stand, so repeat with the same request_id."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    usual_reason = errors_pb2.ERROR_REASON_DEADLINE_EXCEEDED


class Internal(KefuError):
    """A fault of ours; metadata has `error_id`, under which the log has the rest."""

    code = grpc.StatusCode.INTERNAL
    usual_reason = errors_pb2.ERROR_REASON_INTERNAL
