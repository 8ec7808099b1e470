"""What crm refuses, in its own words."""

from __future__ import annotations

from kefu.common.v1 import errors_pb2

from services.kit.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound, PermissionDenied


def not_found(name: str) -> NotFound:
    """No such thing at the site."""
    return NotFound(metadata={"name": name})


def taken(name: str) -> AlreadyExists:
    """The id or identity belongs to somebody already."""
    return AlreadyExists(metadata={"name": name})


def wrong_state(name: str, state: str, allowed: str = "-") -> FailedPrecondition:
    """The state does not allow it."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_WRONG_STATE, {"name": name, "state": state, "allowed": allowed})


def circle(name: str) -> FailedPrecondition:
    """The two are one already."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_MERGE_CIRCLE, {"name": name})


def second_person(permission: str) -> PermissionDenied:
    """Whoever asked may not decide."""
    return PermissionDenied(errors_pb2.ERROR_REASON_SECOND_PERSON, {"permission": permission})


def too_few(available: int) -> FailedPrecondition:
    """Not enough points."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_POINTS_SHORT, {"available": str(available)})


def stale(name: str) -> Aborted:
    """The etag is of an earlier revision."""
    return Aborted(metadata={"name": name})
