"""What qa refuses, in its own words."""

from __future__ import annotations

from kefu.common.v1 import errors_pb2

from services.kit.errors import FailedPrecondition, NotFound, PermissionDenied


def not_found(name: str) -> NotFound:
    """No such thing at the site."""
    return NotFound(metadata={"name": name})


def wrong_state(name: str, state: str, allowed: str) -> FailedPrecondition:
    """The state does not allow it."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_WRONG_STATE, {"name": name, "state": state, "allowed": allowed})


def refused(name: str, fault: str) -> FailedPrecondition:
    """A content is not taken or cannot be played."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_CONTENT_REFUSED, {"name": name, "fault": fault})


def not_drawn(name: str, fault: str) -> FailedPrecondition:
    """A recording cannot be replaced."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_DRAW_REFUSED, {"name": name, "fault": fault})


def second_person(permission: str) -> PermissionDenied:
    """Whoever asked may not decide."""
    return PermissionDenied(errors_pb2.ERROR_REASON_SECOND_PERSON, {"permission": permission})


def not_yours(who: str) -> PermissionDenied:
    """Only one person may do this: `who` as REVIEWER or REVIEWED."""
    return PermissionDenied(errors_pb2.ERROR_REASON_ONLY_ONE_MAY, {"who": who})


def forbidden(setting: str) -> FailedPrecondition:
    """The site's profile does not allow it."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_PROFILE_FORBIDS, {"setting": setting})


def unmet(guard: str, **metadata: str) -> FailedPrecondition:
    """Something has to be so first."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": guard, **metadata})
